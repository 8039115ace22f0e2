"""Airflow's REST API v2 as a script needs it: log in, unpause, trigger, wait."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen


@dataclass
class AirflowApi:
    """A logged-in client; an error of the server comes out as `urllib.error.HTTPError`."""

    address: str
    user: str
    password: str = field(repr=False)

    @cached_property
    def _token(self) -> str:
        login = {"username": self.user, "password": self.password}
        return self._call("POST", "/auth/token", login, {})["access_token"]

    @property
    def authorization(self) -> dict[str, str]:
        """Headers of a request by this client."""
        return {"Authorization": f"Bearer {self._token}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to a path below `/api/v2`; the answer, decoded."""
        return self._call(method, f"/api/v2{path}", body, self.authorization)

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310  the address is that of a service which the caller has started
            f"{self.address}{path}", content, {"Content-Type": "application/json", **headers}, method=method
        )
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def trigger(self, dag: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a DAG run without a logical date; the DAG is unpaused first."""
        self.call("PATCH", f"/dags/{dag}", {"is_paused": False})
        self.call("POST", f"/dags/{dag}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": conf})

    def dag_run(self, dag: str, run_id: str) -> dict[str, Any]:
        """A DAG run as Airflow tells it."""
        return self.call("GET", f"/dags/{dag}/dagRuns/{quote(run_id, safe='')}")

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        """Its task instances, as many as a page holds, in the order in which they started."""
        path = f"/dags/{dag}/dagRuns/{quote(run_id, safe='')}/taskInstances?limit=100&order_by=start_date"
        return self.call("GET", path)["task_instances"]

    def wait(self, dag: str, run_id: str, within: float, pause: float = 0.5) -> str:
        """The state that a DAG run ends with.

        Raises:
            TimeoutError: it has not ended within so many seconds.
        """
        deadline = time.monotonic() + within
        while (state := self.dag_run(dag, run_id)["state"]) not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag} {run_id} is {state} after {within:.0f} s")
            time.sleep(pause)
        return state
