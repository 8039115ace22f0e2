"""`make serve`: MLflow's own scorer for a registered model, which follows the alias `champion` without a restart."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import click
from mlflow.exceptions import MlflowException

from retraining.registry import Registry, RegistryError, parse_reference

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FOLLOW_EVERY = 10.0  # seconds between looks at the alias; one request each
VERSION_HEADER = b"x-model-version"

log = logging.getLogger(__name__)


class Scorer:
    """An ASGI application: MLflow's scorer of the version that a reference names at this moment.

    Every answer says which version gave it, in the header `x-model-version`. Requests under way when a new version
    comes are still answered by the old one. Without a version it answers 503.
    """

    def __init__(self, model: str, reference: str) -> None:
        self._registry, self._reference = Registry(model), reference
        self._served: tuple[int, App] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        served = self._served
        if served is None:
            await _unavailable(f"{self._registry.model} has no {self._reference} yet; `make retrain` makes one", send)
            return
        number, app = served
        header = (VERSION_HEADER, f"{self._registry.model}/{number}".encode())

        async def tell(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), header]
            await send(message)

        await app(scope, receive, tell)

    def refresh(self) -> int:
        """Serve the version that the reference names now; its number.

        Raises:
            RegistryError: it names none.
            MlflowException: the tracking server, or the model's files, cannot be read.
        """
        number = int(self._registry.version(self._reference).version)
        if self._served is None or self._served[0] != number:
            import mlflow.pyfunc
            from mlflow.pyfunc import scoring_server

            model = mlflow.pyfunc.load_model(f"models:/{self._registry.model}/{number}")
            self._served = number, scoring_server.init(model)
            log.info("Serving %s version %d", self._registry.model, number)
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
            except RegistryError as error:
                log.info("%s", error)
            except (MlflowException, OSError) as error:
                # What is served goes on being served.
                log.warning("The registry cannot be read: %s", (str(error).splitlines() or [""])[0])


def serve(reference: str, host: str, port: int, wait: bool) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        reference: a model's champion or a version, see `registry.parse_reference`.
        host: address to listen on.
        port: and port.
        wait: answer 503 until there is a version, instead of ending with an error.

    Raises:
        click.ClickException: the reference names no version.
    """
    import uvicorn

    # A store that others can write to must not hand us code in a pickle.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    try:
        model, version = parse_reference(reference)
    except RegistryError as error:
        raise click.ClickException(str(error)) from error
    scorer = Scorer(model, version)
    try:
        click.echo(f"{model} version {scorer.refresh()} is loaded.")
    except RegistryError as error:
        if not wait:
            raise click.ClickException(str(error)) from error
        click.echo(f"{error}. Waiting for it.")
    click.echo(f"Serving {reference} at http://{host}:{port}/invocations (and /ping); Ctrl-C ends it.")
    follow = contextlib.nullcontext() if version.isdecimal() else scorer.following()
    with follow:
        uvicorn.run(scorer, host=host, port=port, log_level="warning", lifespan="off")


async def _unavailable(message: str, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"message": message}).encode()})
