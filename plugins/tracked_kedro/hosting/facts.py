"""What a parent run says of a hosted project's code and libraries."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

from tracked_kedro.hosting.project import HostedProject

#: In an environment of a project's own: what it was built of.
NOTE = "built.json"

# What says which libraries a project wants, the most exact first.
LOCKS = ("uv.lock", "requirements.lock", "requirements.txt", "pyproject.toml")


def lock_file(folder: Path) -> Path | None:
    """The file that says which libraries a project wants; None where none does."""
    return next((folder / name for name in LOCKS if (folder / name).is_file()), None)


def lock_digest(folder: Path) -> str | None:
    """A hash of that file."""
    file = lock_file(folder)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file else None


def code_tags(folder: Path) -> dict[str, str]:
    """Tags of the project's state: its commit and whether there were changes, its lock's digest.

    `project_dirty` is "true" where the working tree differs from the commit. A project without git has no such tags.
    """
    tags = {}
    if digest := lock_digest(folder):
        tags["lock_digest"] = digest
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        tags["project_commit"] = commit
        tags["project_dirty"] = str(bool(_git(folder, "status", "--porcelain", "--", "."))).lower()
    return tags


def environment_tags(project: HostedProject) -> dict[str, str]:
    """Tags of what runs it: versions of Python and Kedro, and which environment that is."""
    versions = installed(project) if project.environment == "own" else {"kedro": importlib.metadata.version("kedro")}
    python = versions.pop("python", platform.python_version())
    return {"environment": project.environment, "python_version": python, "kedro_version": versions.get("kedro", "?")}


def installed(project: HostedProject) -> dict[str, str]:
    """What `make environments` has noted of an environment: versions of Python and Kedro; empty where it has not."""
    note = project.environment_folder / NOTE
    found = json.loads(note.read_text()) if note.is_file() else {}
    return {key: found[key] for key in ("python", "kedro") if key in found}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-c", f"safe.directory={folder}", "-C", str(folder), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
