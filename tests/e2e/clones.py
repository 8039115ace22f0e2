"""Copies of the repository, to be changed and used through `make`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

# What the project is made of; runs write elsewhere.
PARTS = ("plugins", "kedro_project/templates", "kedro_project/src", "kedro_project/conf", "dags", "tests")


@dataclass(frozen=True)
class Clone:
    """A copy of the repository with a deployment folder of its own."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.root), "VAR": str(self.root / "var")}
        return {**kept, "PYTHONWARNINGS": "ignore"}

    def run(self, script: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """A script in its root; it stops at the first command that fails."""
        command = ["bash", "-e", "-c", script]
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    def digests(self) -> dict[str, str]:
        """Hash of each of the project's files, by path."""
        files = [path for name in PARTS for path in (self.root / name).rglob("*") if path.is_file()]
        kept = [path for path in files if "__pycache__" not in path.parts]
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def clone(folder: Path) -> Clone:
    """What git would check out, with this environment instead of a new one."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    # `make` would install the lock again if it were newer than the environment.
    os.utime(folder / "requirements.lock", (0, 0))
    return Clone(folder)
