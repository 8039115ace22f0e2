"""What `make doctor` finds without Docker: environment, embedded stores, native stack. Standard library only."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from operations.doctor.checks import LOOPBACK, Finding, listens, wrong
from operations.locations import NATIVE, PROCESSES, UI, is_held, var_folder
from operations.native import children, secrets
from operations.native.postmaster import postmaster

PARENTS = "parents.json"  # of `tracked_kedro.cli.watch`, in the deployment's folder
LATE = 300  # seconds; it looks four times a minute
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\]+)( ;)?", re.MULTILINE)
# In a block of a hosted project.
_OWN = re.compile(r"\benvironment:\s*own\b")
# What the file that a running native stack leaves for other commands says of its stores.
_ADDRESSES = {
    "MLFLOW_BACKEND_STORE_URI": "Postgres",
    "ARTIFACTS_ENDPOINT_URL": "the store of artifacts",
    "AWS_ENDPOINT_URL_S3": "the store of data",
    "MLFLOW_TRACKING_URI": "MLflow",
}


def python() -> Iterator[Finding]:
    """The environment that all but the containers use, against its lock file."""
    marker, lock = Path(".venv/.installed"), Path("requirements.lock")
    if not marker.exists():
        yield Finding("python", "no .venv yet; only the production stack can run (make setup builds it)")
    elif marker.stat().st_mtime < lock.stat().st_mtime:
        yield wrong("python", "requirements.lock is newer than .venv: make setup")
    elif other := _not_as_locked(lock.read_text(), Path(".venv")):
        shown = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        yield wrong("python", f".venv is not as requirements.lock says ({shown}): rm .venv/.installed && make setup")
    else:
        yield Finding("python", ".venv is as requirements.lock says")


def environments() -> Iterator[Finding]:
    """Environments of hosted projects, against the projects' own locks."""
    blocks = Path("kedro_project/conf/base").glob("**/airflow.yml")
    if not any(_OWN.search(file.read_text()) for file in blocks) or not Path(".venv/.installed").exists():
        return
    command = [".venv/bin/python", "-W", "ignore", "-m", "tracked_kedro", "environments", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    for line in done.stdout.splitlines() or [done.stderr.strip().rpartition("\n")[2]]:
        yield Finding("environments", line) if line.endswith("is up to date") else wrong("environments", line)


def _not_as_locked(lock: str, environment: Path) -> list[str]:
    pinned: dict[str, set[str]] = defaultdict(set)
    optional: set[str] = set()
    for name, version, marker in _PIN.findall(lock):
        pinned[_normal(name)].add(version)
        if marker:
            optional.add(_normal(name))
    folders = environment.glob("lib/python3.*/site-packages/*.dist-info")
    pairs = (folder.name.removesuffix(".dist-info").rpartition("-") for folder in folders)
    installed = {_normal(name): version for name, _, version in pairs}
    missing = [f"{name} is missing" for name in sorted(pinned.keys() - installed.keys() - optional)]
    return missing + [
        f"{name} {installed[name]} instead of {' or '.join(sorted(pinned[name]))}"
        for name in sorted(pinned.keys() & installed.keys())
        if installed[name] not in pinned[name]
    ]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def embedded_stores() -> Iterator[Finding]:
    """The SQLite databases of `make retrain`, where there are any: readable, and whole."""
    home = Path(os.environ.get("AIRFLOW_HOME") or var_folder() / "airflow")
    for name, file in (("Airflow", home / "airflow.db"), ("MLflow", var_folder() / "mlflow" / "mlflow.db")):
        if not file.exists():
            continue
        try:
            connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.close()
        except sqlite3.Error as error:
            result = str(error)
        if result == "ok":
            yield Finding("stores", f"{name}'s database is whole: {file}, {file.stat().st_size / 1e6:.1f} MB")
        else:
            yield wrong("stores", f"{name}'s database {file}: {result}; put a copy there, or begin anew: make clean")


def native_secrets() -> Iterator[Finding]:
    """Secrets of the native stack, where there is one: strong, private."""
    folder = var_folder() / "native"
    if not (folder / secrets.FILE).exists():
        return
    if found := secrets.problems(folder):
        yield from (wrong("secrets", problem) for problem in found)
    else:
        yield Finding("secrets", f"{folder / secrets.FILE} is strong, readable by its owner alone")


def native_ports() -> Iterator[Finding]:
    """The stores of a running native stack answer; the ports that the next one, or `make ui`, asks for are free.

    Where there is an `.env`, they are the containers', and looked at with them.
    """
    folder = var_folder() / "native"
    ours: dict[int, str] = {}
    if is_held(NATIVE) and (folder / secrets.RUNNING).exists():
        lines = (folder / secrets.RUNNING).read_text().splitlines()
        known = dict(line.split("=", 1) for line in lines)
        ours = {urlsplit(known[variable]).port or 0: name for variable, name in _ADDRESSES.items()}
    for own, name in ours.items():
        if listens(LOOPBACK, own):
            yield Finding("ports", f"{LOOPBACK}:{own} is {name} of the native stack")
        else:
            yield wrong("ports", f"{LOOPBACK}:{own} does not answer though it is {name}: Ctrl-C, then make native")
    for variable, default in (("AIRFLOW_PORT", "8080"), ("MLFLOW_PORT", "5050")):
        port = os.environ.get(variable) or default
        if not port.isdecimal():
            yield wrong("ports", f"{variable} is {port!r}: a port is a number from 1 to 65535")
        elif int(port) not in ours and not Path(".env").exists() and listens(LOOPBACK, int(port)):
            yield Finding("ports", f"{port} is taken; make ui and make native take the next free one")


def left_processes() -> Iterator[Finding]:
    """Processes of a native stack, or of `make ui`, that was killed: those that the next start ends, and the rest."""
    provable: set[int] = set()
    for command, file in PROCESSES.items():
        if is_held(command):
            continue
        found = children.alive(var_folder() / file)
        provable |= {one.pid for one in found}
        if found:
            names = ", ".join(sorted({one.name or "its own" for one in found}))
            yield wrong(
                "processes",
                f"{len(found)} of a `make {command}` that was killed still run ({names}): "
                f"make {command} ends them first",
            )
    data = var_folder() / "native" / "postgres" / "data"
    if not is_held(NATIVE) and (pid := postmaster(data)) and pid not in provable:
        yield wrong("processes", f"Postgres, process {pid}, runs on {data} and is no stack's: kill -INT {pid}")


def parents() -> Iterator[Finding]:
    """Whether parent runs say what became of their DAG runs, as the process beside a scheduler here last found it."""
    try:
        text = (var_folder() / PARENTS).read_text()
    except FileNotFoundError:
        return
    yield from parents_of(text, is_held(UI) or is_held(NATIVE))


def parents_of(text: str, is_running: bool) -> Iterator[Finding]:
    """The same of a deployment.

    Args:
        text: of its file.
        is_running: whether a scheduler ought to be looking there.
    """
    known = json.loads(text)
    age, number = time.time() - known["at"], known["parents_out_of_step"]
    if number is None:
        since = f"{time.time() - known['since']:.0f} s" if known["since"] else "its start"
        yield wrong("parents", f"no look since {since}: {known['problem']} The next one comes by itself")
    elif number:
        yield wrong(
            "parents", f"parents_out_of_step={number}, and MLflow refuses to end them: make reconcile names them"
        )
    elif is_running and age > LATE:
        yield wrong("parents", f"the last look was {age:.0f} s ago: make reconcile, and see the scheduler's log")
    else:
        yield Finding("parents", f"parents_out_of_step=0, {age:.0f} s ago")


CHECKS = [python, environments, embedded_stores, native_secrets, native_ports, left_processes, parents]
