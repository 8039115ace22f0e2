"""`make doctor`: what could be wrong with this deployment, each with its remedy. Standard library only.

Looks at the containers' stack where there is an `.env`, at embedded stores and the native stack where they are, and
always at the machine and the environment.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from operations.compose import engine, secrets, up
from operations.doctor import native as doctor_native
from operations.doctor.checks import Finding, listens, wrong
from operations.locations import var_folder

FREE_BYTES = 5 * 2**30
CLOCK_SECONDS = 30  # S3 refuses requests that are 15 minutes off, tokens of tasks live for ten
ENGINE, COMPOSE = (20, 10), (2, 24)


def main() -> None:
    """Print what every check found; exit code 1 where one found a problem."""
    problems = 0
    for check in [disk, *doctor_native.CHECKS, *(STACK if Path(".env").exists() else [])]:
        for finding in check():
            print(finding, flush=True)
            problems += not finding.well
    if not Path(".env").exists():
        print("The production stack is not set up here (no .env): it was not looked at.")
    sys.exit(f"{problems} problem(s); each line says the remedy." if problems else 0)


def disk() -> Iterator[Finding]:
    """Room for runs here, and for images and volumes where the engine keeps them."""
    var = next(folder for folder in (var_folder(), *var_folder().parents) if folder.exists())
    places = {var: "make clean, or another folder with VAR=<folder>"}
    if not engine.problems() and (root := engine.root_folder()).exists():
        places[root] = "make prune KEEP=12, docker image prune"
    for place, remedy in places.items():
        free = shutil.disk_usage(place).free
        text = f"{free / 2**30:.0f} GB free in {place}"
        yield Finding("disk", text) if free > FREE_BYTES else wrong("disk", f"{text}, too little: {remedy}")


def container_engine() -> Iterator[Finding]:
    """Docker and Compose, new enough."""
    if found := engine.problems():
        yield from (wrong("engine", problem) for problem in found)
        return
    for name, version, least in (("Docker", engine.version(), ENGINE), ("Compose", engine.compose_version(), COMPOSE)):
        numbers = tuple(int(part) for part in version.lstrip("v").split(".")[:2] if part.isdecimal())
        wanted = ".".join(map(str, least))
        text = f"{name} {version}"
        yield Finding("engine", text) if numbers >= least else wrong("engine", f"{text}: install {wanted} or later")


def secret_files() -> Iterator[Finding]:
    """Secrets: there, strong, private."""
    if found := secrets.problems(Path("secrets")):
        yield from (wrong("secrets", problem) for problem in found)
    else:
        yield Finding("secrets", f"{len(secrets.FILES)} files, strong, readable by their owner alone")


def settings() -> Iterator[Finding]:
    """What `.env` says goes together."""
    if not engine.problems() and not secrets.problems(Path("secrets")):
        found = up.contradictions(engine.variables())
        yield from (wrong("settings", problem) for problem in found)


def services() -> Iterator[Finding]:
    """Every service is healthy: each health check goes through the store or the database behind it."""
    if not _stack_can_be_asked():
        return
    states = engine.states()
    if not states:
        yield wrong("services", "the stack is not running: make up")
        return
    if bad := up.unhealthy():
        yield from (wrong("services", line.strip()) for line in bad)
    else:
        running = [state["Service"] for state in states if state["State"] == "running"]
        yield Finding("services", f"{len(running)} healthy: {', '.join(sorted(running))}")


def ports() -> Iterator[Finding]:
    """Published ports: answered by the stack, or free for it."""
    if not _stack_can_be_asked():
        return
    running = {state["Service"] for state in engine.states() if state["State"] == "running"}
    for service, port in _published():
        place = f"{port['host_ip']}:{port['published']}"
        taken = listens(port["host_ip"], int(port["published"]))
        if service in running:
            yield (
                Finding("ports", f"{place} is {service}'s")
                if taken
                else wrong("ports", f"{place} does not answer though {service} runs: docker compose restart {service}")
            )
        elif taken:
            yield wrong("ports", f"{place} is taken by another program: give {service} another port in .env")


def clocks() -> Iterator[Finding]:
    """The stack's clock against this machine's; they differ where parts run on other machines."""
    if not _stack_can_be_asked():
        return
    for service, port in _published():
        begin = time.time()
        if (date := _date(f"http://{port['host_ip']}:{port['published']}/")) is None:
            continue
        off = date - begin
        text = f"{service} is {off:+.0f} s off this machine"
        well = abs(off) < CLOCK_SECONDS
        yield (
            Finding("clocks", text)
            if well
            else wrong("clocks", f"{text}: synchronise both (chrony, systemd-timesyncd)")
        )


def versions() -> Iterator[Finding]:
    """The code that runs is the code in this folder, and client and server of MLflow are of one version."""
    if not _stack_can_be_asked() or "airflow-scheduler" not in {
        state["Service"] for state in engine.states() if state["State"] == "running"
    }:
        return
    here = up.commit()
    there = engine.inside("airflow-scheduler", "printenv", "RETRAINING_GIT_COMMIT").strip()
    if here in (there, "unknown"):
        yield Finding("versions", f"the stack runs commit {there[:12]}")
    else:
        yield wrong("versions", f"the stack runs commit {there[:12]}, this folder has {here[:12]}: make upgrade")
    ask = "import importlib.metadata as m; print(m.version('mlflow'))"
    client, server = (
        engine.inside(service, "python", "-c", ask).strip() for service in ("airflow-scheduler", "mlflow")
    )
    if client == server:
        yield Finding("versions", f"MLflow {client} on both sides")
    else:
        yield wrong(
            "versions", f"tasks have MLflow {client}, the server {server}: align docker/mlflow.Dockerfile, make up"
        )


def parents() -> Iterator[Finding]:
    """Whether parent runs say what became of their DAG runs, as the process beside the scheduler last found it."""
    running = (
        {state["Service"] for state in engine.states() if state["State"] == "running"} if _stack_can_be_asked() else ()
    )
    if "airflow-scheduler" in running:
        text = engine.inside("airflow-scheduler", "cat", f"/opt/retraining/var/{doctor_native.PARENTS}")
        yield from doctor_native.parents_of(text, True) if text else ()


STACK: list[Callable[[], Iterator[Finding]]] = [
    container_engine,
    secret_files,
    settings,
    services,
    ports,
    clocks,
    versions,
    parents,
]


def _stack_can_be_asked() -> bool:
    return not engine.problems() and not secrets.problems(Path("secrets"))


def _published() -> list[tuple[str, dict[str, Any]]]:
    return [(name, port) for name, one in engine.services().items() for port in one.get("ports", [])]


def _date(address: str) -> float | None:
    """When a server says it answered, None where it does not say."""
    try:
        with urlopen(address, timeout=5) as answer:  # noqa: S310  a published port of the stack
            text = answer.headers["Date"]
    except HTTPError as error:
        text = error.headers["Date"]
    except (OSError, HTTPException):
        return None
    return parsedate_to_datetime(text).timestamp() if text else None


if __name__ == "__main__":
    main()
