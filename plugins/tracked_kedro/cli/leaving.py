"""The end of a command: at once, not after Python has taken down every module of Airflow, MLflow and NumPy."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without_teardown() -> Iterator[None]:
    """Let this process end right after its exit functions have run.

    What comes after them only frees memory, module by module: a second where MLflow is imported, four where Airflow is.
    Enter it before anything else registers an exit function, for they run in reverse order. Threads are waited for, and
    the others' exit functions run, as ever.

    >>> with without_teardown():  # doctest: +SKIP
    ...     commands()
    """
    code = 1  # what an exception that nobody catches ends with

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody may be reading any more
                stream.flush()
        os._exit(code)

    atexit.register(leave)
    try:
        yield
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
