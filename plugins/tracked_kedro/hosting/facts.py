"""What a parent run says of a hosted project's code and libraries."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from tracked_kedro.guest.project import checked
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
    """Tags of the project's state: version of its code, its commit and whether there were changes, its lock's digest.

    `project_dirty` is "true" where the working tree differs from the commit. A project without git has neither.
    """
    tags = {"code_version": code_version(folder)}
    if digest := lock_digest(folder):
        tags["lock_digest"] = digest
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        tags["project_commit"] = commit
        tags["project_dirty"] = str(bool(_git(folder, "status", "--porcelain", "--", "."))).lower()
    return tags


def code_version(folder: Path) -> str:
    """Twelve hexadecimal digits over a project's code and configuration, with git or without; not `conf/local`.

    Raises:
        PermanentError: there is no Kedro project.
    """
    digest = hashlib.sha256()
    kinds = {folder / checked(folder).get("source_dir", "src"): "*.py", folder / "conf": "*.y*ml"}
    for root, pattern in kinds.items():
        for path in sorted(root.rglob(pattern)):
            if path.relative_to(folder).parts[:2] != ("conf", "local"):
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def repository(folder: Path) -> tuple[Path, str] | None:
    """The git checkout that a project lies in, and the project's place in it; None where it lies in none."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return (Path(top), _git(folder, "rev-parse", "--show-prefix") or "") if top else None


def environment_tags(project: HostedProject) -> dict[str, str]:
    """Tags of what runs it: versions of Python and Kedro, and which environment that is."""
    versions = installed(project) if project.environment == "own" else {"kedro": importlib.metadata.version("kedro")}
    python = versions.pop("python", platform.python_version())
    return {"environment": project.environment, "python_version": python, "kedro_version": versions.get("kedro", "?")}


def installed(project: HostedProject) -> dict[str, str]:
    """What `make environments` has noted of an environment: versions of Python and Kedro; empty where it has not."""
    return {key: value for key, value in built_of(project).items() if key in ("python", "kedro")}


def built_of(project: HostedProject) -> dict[str, Any]:
    """All that it has noted, `lock_digest` too; empty where it was not built."""
    note = project.environment_folder / NOTE
    return dict(json.loads(note.read_text())) if note.is_file() else {}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-c", f"safe.directory={folder}", "-C", str(folder), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
