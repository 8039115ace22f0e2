"""The shipped files in a folder of their own, and what a person does there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]


@dataclass
class Deployment:
    """A copy of the tracked files, used by an ordinary user.

    Attributes:
        folder: the copy.
        user: number of the user; not root's, and not that of any image.
        environment: how that user reaches the engine.
        took: seconds of each step, for the report at the end.
        notes: further lines of that report.
    """

    folder: Path
    user: int
    environment: dict[str, str]
    took: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def copied(cls, folder: Path, user: int, environment: dict[str, str]) -> Deployment:
        """Copy what is, or would be, committed."""
        listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
        return cls(folder, user, {**environment, "HOME": str(folder)})

    def command(self, *command: str, step: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command there as that user."""
        begin = time.monotonic()
        done = subprocess.run(
            ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=1500,
        )  # fmt: skip
        if step:
            self.took[step] = time.monotonic() - begin
        return done

    def checked(self, *command: str, step: str | None = None) -> str:
        """Output of a command that must succeed."""
        done = self.command(*command, step=step)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def compose(self, *arguments: str) -> str:
        """Output of `docker compose` there."""
        return self.checked("docker", "compose", *arguments)

    def secret(self, name: str) -> str:
        """Contents of a secret."""
        return (self.folder / "secrets" / name).read_text().strip()

    def secret_values(self) -> dict[str, str]:
        """Every secret value by name, without what stands around it in a credentials file."""
        files = (self.folder / "secrets").iterdir()
        texts = {file.name: file.read_text().strip() for file in files}
        return {name: text.rpartition(" = ")[2] if "\n" in text else text for name, text in texts.items()}


@dataclass(frozen=True)
class Airflow:
    """Airflow's REST API, version 2."""

    address: str
    token: str = field(repr=False)

    @classmethod
    def login(cls, address: str, password: str) -> Airflow:
        """A session of the first user."""
        answer = call("POST", f"{address}/auth/token", {"username": "admin", "password": password})
        return cls(address, answer["access_token"])

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One call."""
        return call(method, f"{self.address}/api/v2/{path}", body, {"Authorization": f"Bearer {self.token}"})


def call(method: str, address: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """The JSON answer of a request."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read().strip() or b"null")


def status(method: str, address: str, body: Any = None, headers: dict[str, str] | None = None) -> int:
    """The status of a request."""
    try:
        call(method, address, body, headers)
    except HTTPError as error:
        return error.code
    return 200
