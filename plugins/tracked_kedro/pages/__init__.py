"""The forecasts page: what the monthly runs have stored, shown behind Airflow's login.

Every Airflow command loads the plugins, the page is served by the API server alone: only there it is built.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

log = logging.getLogger(__name__)


class ForecastsPage:
    """An ASGI application that is built at its first request, or before it in a thread of the API server."""

    def __init__(self) -> None:
        self._built: Any = None
        self._building = threading.Lock()
        if sys.argv[1:2] == ["api-server"]:
            threading.Thread(target=self._prepare, name="forecasts-page", daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI call."""
        if self._built is None:
            from starlette.concurrency import run_in_threadpool

            await run_in_threadpool(self._application)
        await self._built(scope, receive, send)

    def _application(self) -> None:
        with self._building:
            if self._built is None:
                from tracked_kedro.pages.app import application

                self._built = application()

    def _prepare(self) -> None:
        """Read what is asked for first, so that the first person does not wait for it."""
        self._application()
        try:
            self._built.state.stored.read_newest()
        except Exception:
            log.warning("The forecasts could not be read ahead of the first request", exc_info=True)
