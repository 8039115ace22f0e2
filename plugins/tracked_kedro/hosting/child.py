"""One call of a hosted project: a process in a group of its own, its log as ours, its errors by what a retry can do."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tracked_kedro.errors import PermanentError, TrackedKedroError, UnavailableError
from tracked_kedro.guest.request import Answer, Request
from tracked_kedro.hosting.child_environment import child_environment
from tracked_kedro.hosting.project import HostedProject

START = Path(__file__).parents[1] / "guest" / "start.py"
# Between asking a process to end and ending it.
_GRACE_SECONDS = 5.0
_QUIET = ("py.warnings",)

log = logging.getLogger(__name__)


class HostedProjectError(TrackedKedroError):
    """A hosted project failed with an error of its own, which may go away at another try."""


class Child:
    """A call of a hosted project that can be ended from outside.

    Usage: `Child(project).call("run", nodes=("split",), run_id=run_id)`.

    Args:
        project: the hosted one.
        tracking_uri: MLflow's address.
        is_heard: whether what it logs is logged here; without it only its errors are told, by what is raised.
        source: environment that its own is taken from; this process's without it.
    """

    def __init__(
        self,
        project: HostedProject,
        tracking_uri: str,
        is_heard: bool = True,
        source: Mapping[str, str] | None = None,
    ) -> None:
        self._project, self._tracking_uri, self._is_heard, self._source = project, tracking_uri, is_heard, source
        self._process: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []

    def call(self, command: str, **asked: Any) -> Any:
        """Start the process, log what it logs, and give its answer.

        Args:
            command: of the process, with the fields of its `Request`.

        Raises:
            PermanentError: the same call would fail again.
            UnavailableError: a server or store did not answer.
            HostedProjectError: any other error of the project, or its process was ended by the system.
        """
        with tempfile.TemporaryDirectory(prefix="hosted-") as folder:
            result = Path(folder) / "answer.json"
            try:
                code = self.start(command, result, **asked).wait()
            finally:
                # Also where a time-out or a person has ended the wait.
                self.end()
            answer = Answer.read(result)
        if answer is None:
            raise HostedProjectError(_ended(code))
        if answer.failure is None:
            return answer.value
        kinds = {"permanent": PermanentError, "unavailable": UnavailableError}
        raise kinds.get(answer.failure.kind, HostedProjectError)(answer.failure.message)

    def end(self) -> None:
        """End the process and all that it has started, and let its log come to an end."""
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_SECONDS)
        for reader in self._readers:
            reader.join(_GRACE_SECONDS)
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()

    def start(self, command: str, result: Path, more: tuple[int, ...] = (), **asked: Any) -> subprocess.Popen[bytes]:
        """Start the process, whose log is logged from now on; `end` is the caller's to call.

        Args:
            command: of the process, with the fields of its `Request`.
            result: file of the answer.
            more: descriptors that the process gets.
        """
        request = Request(
            command,
            str(self._project.folder),
            str(result),
            pipeline=self._project.pipeline,
            environment=self._project.env or os.environ.get("KEDRO_ENV"),
            shared=self._project.data == "shared",
            track=dict(self._project.track),
            **asked,
        )
        source = os.environ if self._source is None else self._source
        reading, writing = os.pipe()
        try:
            self._process = process = subprocess.Popen(
                [str(self._project.python), "-P", str(START), str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(writing, *more),
                cwd=request.project if Path(request.project).is_dir() else None,
                env=child_environment(self._tracking_uri, self._project.variables, source),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        own = logging.getLogger(f"hosted.{self._project.name}")
        takes: dict[IO[bytes], Callable[[bytes], None]] = {os.fdopen(reading, "rb"): _log_record}
        takes |= dict.fromkeys((process.stdout, process.stderr), lambda line: _log_text(own, line))
        self._readers = [_reader(stream, take if self._is_heard else _pass_over) for stream, take in takes.items()]
        with suppress(BrokenPipeError):
            process.stdin.write(request.line().encode())
            # Left open: the process ends when it is closed, as it is when this one is killed.
            process.stdin.flush()
        return process


def _reader(stream: IO[bytes], take: Callable[[bytes], None]) -> threading.Thread:
    def read() -> None:
        with stream:
            for line in stream:
                take(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _pass_over(line: bytes) -> None:
    pass


def _log_record(line: bytes) -> None:
    try:
        record = json.loads(line)
        name, level, message = record["name"], int(record["level"]), str(record["message"])
    except (ValueError, KeyError, TypeError):
        _log_text(log, line)
        return
    logging.getLogger(name).log(logging.DEBUG if name in _QUIET else level, "%s", message)


def _log_text(logger: logging.Logger, line: bytes) -> None:
    # Of a progress bar, which writes over itself, the last state.
    text = line.decode(errors="replace").rstrip().rpartition("\r")[2]
    if text:
        logger.info("%s", text)


def _ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; was there too little memory?" if -code == signal.SIGKILL else ""
        return f"The project's process was ended by {name}{hint}"
    return f"The project's process ended with exit code {code} and no answer; its log says why"
