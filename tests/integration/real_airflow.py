"""A real Airflow: API server, scheduler and DAG processor as processes of their own, LocalExecutor on SQLite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil

from retraining.native.ports import HOST, free_port

PARTS = {"api-server": [], "scheduler": ["--skip-serve-logs"], "dag-processor": []}


@dataclass
class Airflow:
    """An Airflow that is running.

    Attributes:
        login: user and password; None makes everybody who calls an administrator.
    """

    folder: Path
    environment: Mapping[str, str]
    login: tuple[str, str] | None = None
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    token: str = ""

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.environment,
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(self.login is None),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def log(self, part: str) -> str:
        return (self.folder / f"{part}.log").read_text(errors="replace")

    def start(self, *parts: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in parts:
            with (self.folder / f"{part}.log").open("ab") as log:
                self.processes[part] = subprocess.Popen(
                    [sys.executable, "-m", "airflow", part, *PARTS[part]],
                    env=self.settings,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        if "api-server" in parts:
            self.wait(lambda: self._healthy(), within=300)
            self.token = self._token()

    def stop(self, *parts: str, number: int = signal.SIGTERM) -> None:
        """Stop these parts, and whatever they have started."""
        for part in parts:
            process = self.processes.pop(part)
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(number)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
            for member in family:
                if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                    member.kill()
            process.wait(5)

    def wait(self, ready: Callable[[], Any], within: float) -> Any:
        """Wait until something holds, and return it; parts that end meanwhile are told."""
        deadline = time.monotonic() + within
        while not (found := ready()):
            for part, process in self.processes.items():
                assert process.poll() is None, self.log(part)[-3000:]
            assert time.monotonic() < deadline, {part: self.log(part)[-2000:] for part in self.processes}
            time.sleep(0.5)
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(
            f"{self.address}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        return json.loads(self._answer(request) or b"null")

    def has_dag(self, dag: str) -> bool:
        try:
            return bool(self.call("GET", f"dags/{dag}"))
        except HTTPError:
            return False

    def trigger(self, dag: str, run_id: str) -> None:
        self.call("POST", f"dags/{dag}/dagRuns", {"dag_run_id": run_id, "logical_date": None})

    def state(self, dag: str, run_id: str) -> str:
        return self.call("GET", f"dags/{dag}/dagRuns/{run_id}")["state"]

    def mark(self, dag: str, run_id: str, state: str) -> None:
        self.call("PATCH", f"dags/{dag}/dagRuns/{run_id}?update_mask=state", {"state": state})

    def _answer(self, request: Request) -> bytes:
        with urlopen(request, timeout=30) as answer:
            return answer.read()

    def _token(self) -> str:
        body = None
        if self.login is not None:
            body = json.dumps(dict(zip(("username", "password"), self.login, strict=True))).encode()
        request = Request(f"{self.address}/auth/token", data=body, headers={"Content-Type": "application/json"})
        return json.loads(self._answer(request))["access_token"]

    def _healthy(self) -> bool:
        try:
            return bool(self._answer(Request(f"{self.address}/api/v2/monitor/health")))
        except (URLError, OSError):
            return False


def migrate(environment: Mapping[str, str]) -> None:
    """Give Airflow's database its tables."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env={**os.environ, **environment}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
