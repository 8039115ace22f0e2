"""A hosted project's process: one request, one answer, logs on the way. It ends when whoever started it ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

from tracked_kedro.errors import PermanentError, TrackedKedroError, UnavailableError, classified
from tracked_kedro.guest.log_stream import LogStream
from tracked_kedro.guest.request import Answer, Failure, Request

log = logging.getLogger(__name__)


def main(log_descriptor: int) -> int:
    """Answer the request on standard input.

    Returns:
        Exit code: 0 where the answer holds no failure.
    """
    logging.basicConfig(level=logging.INFO, handlers=[LogStream(log_descriptor)], force=True)
    logging.captureWarnings(True)
    request = Request.of_line(sys.stdin.readline())
    if request.command != "answer":  # which reads that itself
        threading.Thread(target=_end_with_parent, args=(sys.stdin,), daemon=True).start()
    answer = _answer(request)
    answer.write(Path(request.result))
    return 1 if answer.failure else 0


def _answer(request: Request) -> Answer:
    try:
        if request.command == "describe":
            from tracked_kedro.guest.describe import describe

            return Answer(describe(request))
        if request.command == "answer":
            from tracked_kedro.guest.answering import answer

            answer(request)
            return Answer()
        from tracked_kedro.guest.run import run

        return Answer(run(request))
    except (Exception, SystemExit) as error:
        seen = error if isinstance(error, SystemExit) else classified(error)
        # What speaks for itself needs no traceback.
        log.error("%s", " ".join(str(seen).split()), exc_info=None if isinstance(error, TrackedKedroError) else error)
        kinds = {PermanentError: "permanent", UnavailableError: "unavailable"}
        kind = next((name for kind, name in kinds.items() if isinstance(seen, kind)), "other")
        message = str(seen) if kind != "other" else f"{type(seen).__name__}: {seen}"
        where = "" if isinstance(error, TrackedKedroError) else _place(error, Path(request.project))
        return Answer(failure=Failure(kind, f"{message}{where}"))


def _place(error: BaseException, project: Path) -> str:
    """The innermost line of the project's own code that an error came through."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(project)
    ]
    return f" ({Path(frames[-1].filename).relative_to(project)}, line {frames[-1].lineno})" if frames else ""


def _end_with_parent(pipe: TextIO) -> None:
    """Standard input stays open as long as whoever started this process lives, also if that is killed."""
    pipe.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)
