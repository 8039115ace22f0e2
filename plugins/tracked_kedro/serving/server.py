"""MLflow's own scorer for a registered model, which follows the alias `champion` without a restart."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tracked_kedro.serving.limited import App, Lanes, Limited, Receive, Scope, Send, refuse
from tracked_kedro.serving.limits import Limits
from tracked_kedro.serving.signing import SigningKeyError, TrustedFiles, UntrustedVersionError

FOLLOW_EVERY = 10.0  # seconds between looks at the reference; one request each
VERSION_HEADER = b"x-model-version"

log = logging.getLogger(__name__)


class NoVersionError(LookupError):
    """A reference names no version; the message says which there are."""


#: From a version and the folder of its files, which were checked, to its model and what answers for it.
Load = Callable[[ModelVersion, Path], tuple[Any, App]]


def load_here(version: ModelVersion, folder: Path) -> tuple[Any, App]:
    """The model in this process, behind MLflow's own scorer."""
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    model = mlflow.pyfunc.load_model(str(folder))
    return model, scoring_server.init(model)


class Scorer:
    """An ASGI application: MLflow's scorer of the version that a reference names at this moment.

    Every answer says which version gave it, in the header `x-model-version`. Requests under way when a new version
    comes are still answered by the old one. Without a version it answers 503.

    Args:
        model: name of the registered model.
        reference: an alias, or the number of a version.
        version_of: the version that the reference names now; raises `NoVersionError` where there is none.
        limits: of one request.
        load: the model of a folder that was checked, and the application that answers for it.
    """

    def __init__(
        self,
        model: str,
        reference: str,
        version_of: Callable[[str], ModelVersion],
        limits: Limits | None = None,
        load: Load | None = None,
    ) -> None:
        self._model, self._reference, self._version_of = model, reference, version_of
        self._load = load or load_here
        self._limits = limits or Limits()
        self._lanes = Lanes(self._limits)
        self._served: tuple[int, App] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        served = self._served
        if served is None:
            await refuse(503, f"{self._model} has no {self._reference} yet; `make retrain` makes one", send)
            return
        number, app = served
        header = (VERSION_HEADER, f"{self._model}/{number}".encode())

        async def send_with_version(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), header]
            await send(message)

        await app(scope, receive, send_with_version)

    def refresh(self) -> int:
        """Serve the version that the reference names now; its number.

        Raises:
            NoVersionError: it names none.
            UntrustedVersionError: the version is not this deployment's own.
            MlflowException: the tracking server, or the model's files, cannot be read.
        """
        version = self._version_of(self._reference)
        number = int(version.version)
        if self._served is None or self._served[0] != number:
            # What is loaded is the copy that was checked.
            folder = tempfile.mkdtemp(prefix="served-")
            try:
                TrustedFiles(version).fetch(Path(folder))
                model, scorer = self._load(version, Path(folder))
                app = Limited(scorer, model, self._limits, self._lanes)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            # The last request to it may be answered after another version is served.
            weakref.finalize(app, shutil.rmtree, folder, ignore_errors=True)
            self._served = number, app
            log.info("Serving %s version %d", self._model, number)
        return number

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Look at the reference every few seconds, in a thread, while the body runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._follow, args=(done,), name="follow", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()

    def _follow(self, done: threading.Event) -> None:
        while not done.wait(FOLLOW_EVERY):
            try:
                self.refresh()
            except NoVersionError as error:
                log.info("%s", error)
            except (UntrustedVersionError, SigningKeyError) as error:
                log.warning("%s", error)
            except (MlflowException, OSError) as error:
                # What is served goes on being served.
                log.warning("The registry cannot be read: %s", (str(error).splitlines() or [""])[0])
