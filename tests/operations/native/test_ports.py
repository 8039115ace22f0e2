"""Ports that a person asks for."""

from __future__ import annotations

import socket

import click
import pytest

from operations.native.ports import wanted_port


def test_a_busy_port_gives_way_to_the_next_and_says_so(monkeypatch, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        monkeypatch.setenv("AIRFLOW_PORT", str(port))
        taken = wanted_port("AIRFLOW_PORT", 8080)
    assert taken > port
    assert f"Port {port} is busy; {taken} is taken" in capsys.readouterr().out


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_named(monkeypatch, port):
    monkeypatch.setenv("MLFLOW_PORT", port)
    with pytest.raises(click.ClickException, match=r"MLFLOW_PORT is .* from 1 to 65535"):
        wanted_port("MLFLOW_PORT", 5050)
