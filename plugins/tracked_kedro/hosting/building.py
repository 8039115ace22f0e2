"""`make environments`: the virtual environment of each hosted project that wants its own, from the project's lock.

pip installs from whichever index it is configured for. What this library needs there is Kedro and mlflow-skinny, which
are added where the project does not bring them; of the library itself nothing is installed (`guest.start`).
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from packaging.specifiers import SpecifierSet

from tracked_kedro.errors import PermanentError
from tracked_kedro.hosting.child_environment import MACHINE
from tracked_kedro.hosting.facts import LOCKS, NOTE, built_of, lock_digest, lock_file
from tracked_kedro.hosting.project import HostedProject
from tracked_kedro.kedro_side.redaction import without_secrets

#: Goes up when something is added to each environment that was not before.
RECIPE = 2
_PYTHONS = ("3.13", "3.12", "3.11")
# What MLflow's client needs beside mlflow-skinny where its store is a database that it opens itself.
_FOR_DATABASES = ("sqlalchemy", "alembic")
_VERSIONS = (
    "import json, platform, importlib.metadata as m; "
    "print(json.dumps({'python': platform.python_version(), 'kedro': m.version('kedro')}))"
)


def build(project: HostedProject, python: str | None = None) -> Path:
    """Build a project's environment anew; the one that is there is replaced when the new one is whole.

    Args:
        project: whose block says `environment: own`.
        python: interpreter; without it the newest that is installed and that the project allows.

    Raises:
        PermanentError: nothing says what to install, or something cannot be installed.
    """
    wanted = requirements(project.folder)
    target = project.environment_folder
    target.parent.mkdir(parents=True, exist_ok=True)
    # Scripts hold the path of their interpreter: it is built in its place, and a failed one is taken away.
    before = target.with_name(f"{target.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if target.exists():
        target.rename(before)
    try:
        _run([python or _interpreter(project.folder), "-m", "venv", str(target)], project)
        own = target / "bin" / "python"
        pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *wanted], project)
        if missing := _ours(own):
            _run([*pip, *missing], project)
        found = subprocess.run([str(own), "-c", _VERSIONS], capture_output=True, text=True, check=True)
        note = {**json.loads(found.stdout), "lock_digest": lock_digest(project.folder), "recipe": RECIPE}
        (target / NOTE).write_text(json.dumps(note))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if before.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)
    return target


def requirements(folder: Path) -> list[str]:
    """Arguments of pip that install what a project wants, without the project: it stays where it is.

    Raises:
        PermanentError: nothing says what it wants, or its lock is one that pip does not read.
    """
    file = lock_file(folder)
    if file is None:
        raise PermanentError(
            f"{folder}: nothing says which libraries the project wants; write one of {', '.join(LOCKS)}"
        )
    if file.name == "uv.lock":
        return ["-r", str(_exported(folder))]
    if file.suffix != ".toml":
        return ["-r", str(file)]
    declared = tomllib.loads(file.read_text()).get("project", {})
    if "dependencies" not in declared:
        raise PermanentError(
            f"{file}: [project] has no list `dependencies`; write them there, or into {folder / 'requirements.txt'}"
        )
    return [str(one) for one in declared["dependencies"]] or ["kedro>=1.0"]


def state(project: HostedProject) -> str | None:
    """Why a project's environment does not fit it, with the remedy; None where it does, or where it has none."""
    if project.environment != "own":
        return None
    remedy = f"make environments NAME={project.name}"
    built = built_of(project)
    if not built:
        return f"{project.name} has no environment of its own yet: {remedy}"
    if built.get("lock_digest") != lock_digest(project.folder):
        file = lock_file(project.folder)
        return f"{project.name}: its environment is older than {file.name if file else 'its lock'}: {remedy}"
    if built.get("recipe") != RECIPE:
        return f"{project.name}: its environment was built by an earlier release of these rails: {remedy}"
    return None


def _exported(folder: Path) -> Path:
    """A uv.lock as requirements that pip reads."""
    uv = shutil.which("uv")
    if uv is None:
        raise PermanentError(
            f"{folder / 'uv.lock'}: uv is needed to read it; install it, or export the lock to requirements.lock"
        )
    target = Path(tempfile.mkdtemp(prefix="hosted-lock-")) / "requirements.txt"
    command = [uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--quiet", "--output-file", str(target)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise PermanentError(f"{folder / 'uv.lock'} cannot be read: {_last_line(done.stderr)}")
    return target


def _ours(python: Path) -> list[str]:
    """What this library needs there and is not there yet, on whichever stack it runs.

    Nothing that the project has brought is changed: of s3fs, each release goes with one of fsspec.
    """
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    there = {_normal(one["name"]): one["version"] for one in json.loads(listed.stdout)}
    # As here: a database's tables are those of one version.
    wanted = {"kedro": "kedro>=1.0", "mlflow-skinny": f"mlflow-skinny=={version('mlflow-skinny')}"}
    wanted |= {name: f"{name}=={version(name)}" for name in _FOR_DATABASES}
    wanted["s3fs"] = f"s3fs=={there['fsspec']}" if "fsspec" in there else "s3fs>=2025.3"
    if "scikit-learn" in there:
        wanted["skops"] = f"skops=={version('skops')}"
    return [requirement for name, requirement in wanted.items() if name not in there]


def _interpreter(folder: Path) -> str:
    """This deployment's Python where the project allows it, else the newest that is installed and allowed."""
    file = folder / "pyproject.toml"
    wanted = tomllib.loads(file.read_text()).get("project", {}).get("requires-python", "") if file.is_file() else ""
    allowed = SpecifierSet(wanted)
    if allowed.contains(platform.python_version()):
        return sys.executable
    for one in _PYTHONS:
        if allowed.contains(f"{one}.99") and (found := shutil.which(f"python{one}")):
            return found
    raise PermanentError(f"{file}: requires-python is {wanted}; install such a Python of {', '.join(_PYTHONS)}")


def _run(command: Sequence[str], project: HostedProject) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=_for_pip())
    if done.returncode:
        said = without_secrets(_last_line(done.stderr))
        raise PermanentError(
            f"{project.name}: its environment cannot be built: {said}; the one before, if any, is kept"
        )


def _for_pip() -> dict[str, str]:
    """The environment of pip: no package of another project in reach, and none of this deployment's secrets."""
    kept = (*MACHINE, "VIRTUAL_ENV_DISABLE_PROMPT")
    return {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}


def _last_line(text: str) -> str:
    errors = [line for line in text.splitlines() if line.startswith("ERROR")]
    return (errors or text.strip().splitlines() or ["no reason was told"])[-1 if not errors else 0].removeprefix(
        "ERROR: "
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
