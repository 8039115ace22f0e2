"""The values of all secrets, looked for everywhere after a full run and attempts of who may trigger to see them."""

from __future__ import annotations

import secrets
import time
import urllib.error

import pytest

from operations.native.api import AirflowApi
from operations.native.stack import Stack
from tests.deployment import ROOT
from tests.fixtures.secret_scan import Scan
from tests.pipelines.climate_brazil.integration.dag_runs import DAG, WITHIN, Triggered

pytestmark = [
    pytest.mark.full,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
TYPED = "password in an address"


def free_texts(api: AirflowApi) -> dict[str, list[str]]:
    """By DAG, its parameters that take any text: such as say where inputs come from."""
    expected = {file.stem.removesuffix("_dag") for file in (ROOT / "dags").glob("*_dag.py")}
    deadline = time.monotonic() + WITHIN
    while not expected <= {one["dag_id"] for one in api.call("GET", "/dags")["dags"]}:
        assert time.monotonic() < deadline, "a DAG was not read"
        time.sleep(1)
    found = {}
    for dag in sorted(expected):
        params = api.call("GET", f"/dags/{dag}/details")["params"]
        schemas = {name: param["schema"] for name, param in params.items()}
        found[dag] = [
            name
            for name, schema in schemas.items()
            if "string" in (schema.get("type") or []) and not {"enum", "format"} & set(schema)
        ]
    return found


def attacks(stack: Stack, password: str) -> list[str]:
    """What somebody may type who wants to see this machine's secrets, or gives away one of their own."""
    return [
        "${form_choices:/proc/self/environ}",
        "${oc.env:AIRFLOW__CORE__FERNET_KEY_CMD}",
        "/proc/self/environ",
        "/proc/self/root" + str(stack.airflow.home.parent / "airflow-secrets" / "airflow_fernet"),
        str(stack.airflow.home.parent / "secrets.json"),
        f"http://127.0.0.1:{stack.airflow.port}/api/v2/monitor/health",
        f"http://someone:{password}@127.0.0.1:{stack.airflow.port}/stream",
        f"simplecache::http://someone:{password}@127.0.0.1:{stack.airflow.port}/stream",
    ]


def test_a_full_run_and_attacks_show_no_secret(stack: Stack, api: AirflowApi, triggered: Triggered):
    assert triggered.state == "success"
    password = secrets.token_urlsafe(24)
    scan = Scan({**stack.stores.secrets.values(), TYPED: password})
    dag_runs = {DAG: [triggered.run_id]}
    ended = {}
    with scan.processes(stack):
        for dag, names in free_texts(api).items():
            assert names, f"{dag} has no free text"
            for number, value in enumerate(attacks(stack, password)):
                run_id = f"attack_{number}"
                try:
                    api.trigger(dag, run_id, dict.fromkeys(names, value))
                except urllib.error.HTTPError as error:
                    scan.text(f"page that refuses attack {number} on {dag}", error.read())
                    ended[dag, number] = f"refused: {error.code}"
                else:
                    ended[dag, number] = api.wait(dag, run_id, within=WITHIN)
                    dag_runs.setdefault(dag, []).append(run_id)
    scan.files(stack.airflow.home.parent)
    scan.databases(stack)
    scan.pages(stack, api, dag_runs)
    scan.backup(stack)
    assert {"file", "table", "page", "backup", "command"} <= set(scan.read), "it has looked everywhere"
    assert min(scan.read.values()) > 10
    # Airflow's audit log keeps what a person has sent, refused or not, and its refusal says it again to that person:
    # also a password that was typed into a form. Of the stack's own secrets neither may hold one.
    own = ("table public.log ", "page that refuses attack ")
    typed = {hit for hit in scan.hits if hit.startswith(TYPED) and any(place in hit for place in own)}
    assert sorted(scan.hits - typed) == []
    allowed = {"failed", "refused: 400", "refused: 422"}
    assert {key: state for key, state in ended.items() if state not in allowed} == {}
