"""A tracking server that is down is known at once, not after the patience of MLflow's client."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from operations.native.ports import HOST, free_port
from tracked_kedro.errors import UnavailableError
from tracked_kedro.web import reach as reached
from tracked_kedro.web.reach import reach
from tracked_kedro.web.tracking import Tracking


def test_what_listens_is_reached():
    with socket.create_server((HOST, 0)) as server:
        reach(f"http://{HOST}:{server.getsockname()[1]}/below")


@pytest.mark.parametrize("address", [None, "", "sqlite:////somewhere.db", "file:///somewhere"])
def test_a_database_is_not_asked(address: str | None):
    reach(address)


def test_nothing_that_listens(monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    with pytest.raises(UnavailableError, match=f"{HOST}:{port} is not reached"):
        reach(f"http://{HOST}:{port}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{HOST}:{port}")
    with pytest.raises(UnavailableError):
        _ = Tracking().client


def test_all_addresses_of_a_lost_host_share_the_time(monkeypatch: pytest.MonkeyPatch):
    waited: list[float] = []

    def never(place: Any, timeout: float) -> Any:
        waited.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(reached.socket, "getaddrinfo", lambda *_, **__: [1, 2, 3, 4, 5])
    monkeypatch.setattr(reached.socket, "create_connection", never)
    with pytest.raises(UnavailableError):
        reach("https://mlflow.invalid")
    assert 5 * waited[0] <= 3


def test_behind_a_proxy_nothing_is_known_by_connecting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    reach("http://mlflow.invalid")
