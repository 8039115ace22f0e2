"""What a person sees while a DAG run goes on: of Airflow's output what is of interest, and that it is still at work."""

from __future__ import annotations

import re
import threading
import time
from types import TracebackType

import click

#: Line in which the process that runs a DAG says how many tasks it has.
COUNT = "tasks of the DAG: {}"
#: Seconds without a line on the screen after which one says what is being done.
PATIENCE = 5.0

_COUNTED = re.compile(COUNT.format(r"(\d+)"))
_STARTED = re.compile(r"\[DAG TEST\] starting task_id=(\S+) map_index=(-?\d+)")
_OURS = re.compile(r"\[(warning|error|info) *\] (.*?) +\[(retraining|tracked_kedro)[\w.]*\]")
# Last line of the traceback of a failed task, or of the command's own.
_RAISED = re.compile(r"^(?:tracked_kedro\.errors\.|airflow\.\S*\.)(\w+(?:Error|Exception)): (.*)")
# One line per series and shard is progress; one per step of each series is for the log.
_SHOWN = re.compile(
    r"Child run|is set aside|months observed|refresh:|Stream:|failed|simulated|raised from|is done:|Graphviz"
)


class Events:
    """The events that the lines of `airflow dags test` report; tasks are numbered in the order in which they begin."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._seen: list[str] = []

    def of(self, line: str) -> str | None:
        """What to show of a line, None where it is of no interest on the screen.

        >>> Events().of("[DAG TEST] starting task_id=report map_index=-1")
        'task 1  report'
        """
        if counted := _COUNTED.match(line):
            self._total = int(counted.group(1))
        if started := _STARTED.search(line):
            return self._task(*started.groups())
        if (ours := _OURS.search(line)) and (ours.group(1) != "info" or _SHOWN.search(ours.group(2))):
            return f"  {ours.group(2)}"
        if raised := _RAISED.match(line):
            return f"  {raised.group(1)}: {raised.group(2)}"
        return None

    def _task(self, task: str, index: str) -> str:
        """A mapped task has one number, however many instances it has."""
        if task not in self._seen:
            self._seen.append(task)
        number = self._seen.index(task) + 1
        of = f" of {self._total}" if self._total else ""
        return f"task {number}{of}  {task}" + ("" if index == "-1" else f" [{index}]")


class Screen:
    """Lines after the seconds since it was opened; after five seconds without one, what is being done.

    >>> with Screen("checking") as screen:
    ...     screen.show("task 1  report")  # doctest: +ELLIPSIS
       0.0 s  task 1  report
    """

    def __init__(self, doing: str) -> None:
        """Begin with the words for what is done first."""
        self._doing = doing
        self._begin = self._shown = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._say_so, name="progress", daemon=True)

    def __enter__(self) -> Screen:
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._over.set()
        self._watch.join()

    def show(self, text: str) -> None:
        """Show an event; one that is not indented is what is being done from now on."""
        if not text.startswith(" "):
            self._doing = text
        with self._lock:
            self._shown = time.monotonic()
            click.echo(f"{self._shown - self._begin:6.1f} s  {text}")

    def _say_so(self) -> None:
        while not self._over.wait(max(0.1, PATIENCE - (time.monotonic() - self._shown))):
            if time.monotonic() - self._shown >= PATIENCE:
                self.show(f"  … {self._doing}")
