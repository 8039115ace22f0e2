"""A running `python -m retraining ui` with stores of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

# A page that a busy machine serves takes its time; one that is there early is not waited for.
expect.set_options(timeout=60_000)


@dataclass
class Pages:
    """What the command printed."""

    process: subprocess.Popen[bytes]
    output: Path
    airflow: str = ""
    mlflow: str = ""
    password: str = ""

    def wait_until_ready(self, within: float = 300) -> None:
        deadline = time.monotonic() + within
        while "Ready." not in (text := self.output.read_text()):
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.5)
        self.airflow, self.mlflow = re.findall(r"http://127\.0\.0\.1:\d+", text)
        self.password = re.search(r"user admin, password (\S+)", text)[1]

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start_ui(var: Path) -> Iterator[Callable[[Mapping[str, str]], Pages]]:
    """Starts `python -m retraining ui` on the deployment folder of this test; what still runs at the end is ended."""
    started = []

    def start(settings: Mapping[str, str]) -> Pages:
        output = var.parent / f"ui-{len(started)}.txt"
        ports = {"AIRFLOW_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "retraining", "ui"],
                env={**os.environ, **ports, **settings},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return Pages(process, output)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
