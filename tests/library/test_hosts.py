"""Names under which a server answers, and that whoever probes it asks for one of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from operations.native.mlflow_server import ALLOWED_HOSTS
from tests.deployment import ROOT
from tracked_kedro.hosts import allowed_hosts, known_by_name


def answers(host: str, *addresses: str) -> int:
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("secret"))])
    return TestClient(known_by_name(app, addresses)).get("/", headers={"host": host}).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:80", "[::1]:80", "RENTS.example", "a.b.example", "[fe80::1]:9"]
)
def test_a_known_name_is_answered(host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALLOWED_HOSTS", " *.b.example,")
    assert answers(host, "https://rents.example:8443/airflow", "http://[fe80::1]:9") == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "rents.example.evil.example", "b.example", "", "127.0.0.1.nip.io", "[::2]"]
)
def test_any_other_is_refused_without_a_word_of_the_content(host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "*.b.example")
    assert answers(host, "https://rents.example") == 400


@pytest.mark.parametrize("text", ["https://rents.example", "rents.example:80", "a*b", "rents example", "a,,b c"])
def test_what_is_no_name_is_refused_by_the_variables_name(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALLOWED_HOSTS", text)
    with pytest.raises(ValueError, match=r"^ALLOWED_HOSTS: .* write names without scheme and port"):
        allowed_hosts()


def test_the_health_checks_of_the_compose_file_ask_for_allowed_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ALLOWED_HOSTS", raising=False)
    text = (ROOT / "docker-compose.yaml").read_text()
    settings = yaml.safe_load(text)["services"]["airflow-apiserver"]["environment"]
    known = allowed_hosts("http://localhost:8080", settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"])
    asked = re.findall(r"http://[\w.:-]+8080", text)
    assert len(asked) > 3
    assert {urlsplit(address).hostname for address in asked} <= set(known)


def test_the_charts_probes_ask_for_an_allowed_name():
    values = yaml.safe_load((ROOT / "deploy" / "helm" / "values.yaml").read_text())
    variables = values["apiServer"]["env"]
    # Kubernetes replaces $(NAME) by a variable that stands before it.
    assert [one["name"] for one in variables] == ["POD_IP", "ALLOWED_HOSTS"]
    assert variables[0]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    assert "$(POD_IP)" in variables[1]["value"].split(",")


def test_each_mlflow_server_that_we_start_knows_its_names():
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["mlflow"]["environment"]
    assert "*" not in [
        name.strip() for name in compose["MLFLOW_SERVER_ALLOWED_HOSTS"].split(":-")[1].rstrip("}").split(",")
    ]
    assert ALLOWED_HOSTS == "localhost:*,127.0.0.1:*"
    assert '"--allowed-hosts", ALLOWED_HOSTS' in (ROOT / "operations" / "native" / "ui.py").read_text()
