"""Pages of this library's own, as Airflow registers them.

Every Airflow command loads the plugins, pages are served by the API server alone: only there they are built.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tracked_kedro.addresses import airflow_root

log = logging.getLogger(__name__)

# One at a time: they import the same large libraries.
_building = threading.Lock()


@dataclass(frozen=True)
class Page:
    """An application and its place in Airflow's menu.

        Page("Rents", "/rents", "my_pages.rents", {"destination": "nav", "nav_top_level": True})

    Attributes:
        name: shown in the menu.
        prefix: path below Airflow's root under which it is served.
        module: imported when it is needed; its function `application` builds the application.
        menu: what Airflow is told of the menu's entry.
        icon: of the menu's entry, a file that the page serves; without one Airflow shows a plug.
    """

    name: str
    prefix: str
    module: str
    menu: Mapping[str, Any]
    icon: str | None = None

    def app(self) -> dict[str, Any]:
        """An entry of a plugin's `fastapi_apps`."""
        return {"name": self.name, "app": Application(self.module), "url_prefix": self.prefix}

    def view(self) -> dict[str, Any]:
        """An entry of a plugin's `external_views`."""
        address = f"{airflow_root()}{self.prefix}"
        icon = {"icon": f"{address}/static/{self.icon}"} if self.icon else {}
        return {"name": self.name, "href": f"{address}/", **icon, **self.menu}


class Application:
    """An ASGI application that is built at its first request, or before it in a thread of the API server."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._built: Any = None
        if sys.argv[1:2] == ["api-server"]:
            threading.Thread(target=self._prepare, name=module, daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI call."""
        if self._built is None:
            from starlette.concurrency import run_in_threadpool

            await run_in_threadpool(self._build)
        await self._built(scope, receive, send)

    def _build(self) -> None:
        with _building:
            if self._built is None:
                self._built = import_module(self._module).application()

    def _prepare(self) -> None:
        """Read what is asked for first, so that the first person does not wait for it."""
        try:
            self._build()
            self._built.state.read_ahead()
        except Exception:
            log.warning("%s could not be read ahead of the first request", self._module, exc_info=True)
