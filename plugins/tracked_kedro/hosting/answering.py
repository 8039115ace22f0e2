"""`make serve` of a hosted project's version: it is loaded and asked in the project's own process alone."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from mlflow.models import Model

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.request import Answer
from tracked_kedro.hosting.child import Child, HostedProjectError
from tracked_kedro.hosting.project import HostedProject

#: File of a version that is a pickle: it is loaded in its project's process and nowhere else.
PICKLE = "artifacts/model.pkl"


def is_answered_elsewhere(tags: Mapping[str, str]) -> bool:
    """Whether a version is one that its project's own process has to answer for.

    Args:
        tags: of the version.
    """
    return tags.get("environment") == "own" or PICKLE in json.loads(tags.get("files") or "{}")


class AnsweringModel:
    """A model in its project's process, for the server's limits and as an ASGI application.

    Args:
        project: that has made it.
        folder: of the model, whose signature was checked.
        tracking_uri: MLflow's address.

    Raises:
        PermanentError: it cannot be loaded there.
        HostedProjectError: the process has ended.
    """

    def __init__(self, project: HostedProject, folder: Path, tracking_uri: str) -> None:
        self.metadata = Model.load(str(folder))
        self._child, self._one_at_a_time = Child(project, tracking_uri), threading.Lock()
        reading, writing = os.pipe()
        with tempfile.TemporaryDirectory(prefix="hosted-") as beside:
            result = Path(beside) / "answer.json"
            try:
                self._process = self._child.start("answer", result, (writing,), data=str(folder), answers=writing)
            finally:
                os.close(writing)
            self._answers = os.fdopen(reading)
            if not self._answers.readline():
                self._process.wait()
                told = Answer.read(result)
                raise PermanentError(told.failure.message if told and told.failure else "the model's process has ended")
        weakref.finalize(self, _close, self._child, self._answers)

    def answer(self, body: bytes) -> tuple[int, str]:
        """Status and content of the answer to a request's body."""
        assert self._process.stdin is not None
        with self._one_at_a_time:
            try:
                self._process.stdin.write(json.dumps(body.decode()).encode() + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise HostedProjectError("the model's process has ended") from None
            line = self._answers.readline()
        if not line:
            raise HostedProjectError("the model's process has ended")
        status, text = json.loads(line)
        return status, text

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request, as MLflow's scorer does."""
        status, text = 200, "\n"
        if scope["path"] == "/invocations":
            body = bytearray()
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    break
            try:
                status, text = await asyncio.to_thread(self.answer, bytes(body))
            except HostedProjectError as error:
                status, text = 503, json.dumps({"message": str(error)})
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})


def _close(child: Child, answers: TextIO) -> None:
    child.end()
    answers.close()
