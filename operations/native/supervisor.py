"""Several servers under one terminal: start them, notice when one ends, stop all of them together."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from operations.native import children
from operations.native.children import Children

DEATHS = 5  # within so many seconds, after which a server stays ended
WITHIN = 600.0
KEPT_LOGS = 3  # of earlier starts, so that a crash can still be read after the start that follows it


class Supervisor:
    """Servers, each in a session of its own so that what they fork can be found and ends with them.

    From entering to leaving, Ctrl-C, SIGTERM and a closed terminal only set `stopping` and `signal`; leaving stops
    every session.

    Args:
        started: where they are noted, so that they end with this process however it ends.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        environments: Mapping[str, Mapping[str, str]],
        logs: Path,
        started: Children,
    ) -> None:
        self.stopping = False
        self.signal: int | None = None
        self.logs = logs
        self._commands, self._environments, self._started = commands, environments, started
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: dict[str, list[float]] = {}
        self._noted: dict[str, int] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_soon)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            for name, command in self._commands.items():
                self._start(name, command)
        except OSError:
            self._stop()
            raise
        return self

    def _start(self, name: str, command: Sequence[str]) -> None:
        _keep_earlier(self.log_file(name))
        with self.log_file(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                env={**self._environments[name], **self._started.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        self._started.add(name, process.pid)

    def __contains__(self, name: str) -> bool:
        """Whether it is one of these servers."""
        return name in self._processes

    def restart(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one server by a signal to its first process and end the rest of its session; start it anew."""
        process = self._processes[name]
        process.send_signal(number)
        _end([process])
        self._start(name, self._commands[name])

    def mend(self) -> list[str]:
        """Start those anew that have ended by themselves, 1, 2, 4 … seconds later; what to tell of each.

        To be called again and again. One that ends too often stays ended, for `given_up` to tell.
        """
        told = []
        for name, process in list(self._processes.items()):
            if process.poll() is None or self._rest(name, process) > 0 or self._is_given_up(name):
                continue
            # Members of its session may live on, and hold its port.
            _end([process])
            self._start(name, self._commands[name])
            number = len(self._deaths[name])
            told.append(
                f"The {name} ended by itself (exit code {process.returncode}) and was started again "
                f"({number} of {DEATHS} times in {WITHIN / 60:.0f} minutes); its log before: {self.log_file(name)}.1"
            )
        return told

    def given_up(self) -> str | None:
        """What to tell of a server that has ended too often to be started again; None where there is none."""
        return self._told_of([name for name in self._processes if self._is_given_up(name)])

    def _rest(self, name: str, process: subprocess.Popen[bytes]) -> float:
        """Seconds until a server that has ended is started again."""
        now = time.monotonic()
        deaths = [moment for moment in self._deaths.get(name, []) if now - moment < WITHIN]
        if self._noted.get(name) != process.pid:
            self._noted[name] = process.pid
            deaths.append(now)
        self._deaths[name] = deaths
        return deaths[-1] + 2.0 ** (len(deaths) - 1) - now if deaths else 0.0

    def _is_given_up(self, name: str) -> bool:
        return self._processes[name].poll() is not None and len(self._deaths.get(name, [])) >= DEATHS

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def log_file(self, name: str) -> Path:
        """Where a server's output goes."""
        return self.logs / f"{name}.log"

    def ended(self) -> str | None:
        """What to tell of a server that ended by itself, with the end of its log; None while all of them run."""
        return self._told_of([name for name, process in self._processes.items() if process.poll() is not None])

    def _told_of(self, ended: Sequence[str]) -> str | None:
        for name in ended:
            code, log = self._processes[name].returncode, self.log_file(name)
            last = log.read_text(errors="replace").splitlines()[-15:]
            told = [f"The {name} ended with exit code {code}. End of {log}:", *(f"    {line}" for line in last)]
            return "\n".join(told)
        return None

    def _stop_soon(self, number: int, frame: object) -> None:
        self.stopping = True
        self.signal = self.signal or number

    def _stop(self) -> None:
        _end(list(self._processes.values()))


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask every process of these sessions to end, then end what is left."""
    for process in processes:
        children.send(children.members(process.pid), signal.SIGTERM)
    deadline = time.monotonic() + children.GRACE
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0.01))
        while left := children.members(process.pid):
            children.send(left, signal.SIGKILL)
            time.sleep(0.05)
        # Dead by now, but ours to wait for: who is killed late is not in the session any more, and not yet collected.
        process.wait()


def _keep_earlier(log: Path) -> None:
    """Give the logs of earlier starts their next number, the oldest makes room."""
    for age in range(KEPT_LOGS, 0, -1):
        earlier = log.with_name(f"{log.name}.{age - 1}") if age > 1 else log
        if earlier.exists():
            earlier.replace(log.with_name(f"{log.name}.{age}"))
