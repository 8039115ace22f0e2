"""The log of a run: one that cannot be written is no reason to end the run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import TextIO


class Log:
    """A file that gets the lines of a run for as long as it can.

    with Log(file) as log: problem = log.write(line)
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream: TextIO | None = None
        self._problem: str | None = None

    def __enter__(self) -> Log:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._file.open("w", buffering=1)
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()

    def write(self, line: str) -> str | None:
        """Write a line.

        Returns:
            What to tell of a log that cannot be written, once; else None.
        """
        try:
            if self._stream is not None:
                self._stream.write(line)
        except OSError as error:
            self._give_up(error)
        problem, self._problem = self._problem, None
        return problem

    def _give_up(self, error: OSError) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
        self._problem = f"{self._file} cannot be written ({error.strerror}); the run goes on without it"
