"""Who gets in: routes × roles as docs/operations.md has them, and names of hosts, at a real API server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.rents import write_project

DOCS = ROOT / "docs" / "operations.md"
ALLOWED = [
    "localhost",
    "localhost:8080",
    "127.0.0.1:8080",
    "[::1]:8080",
    "airflow.example",
    "tasks.example",
    "A.proxy.example",
]
REFUSED = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "169.254.169.254",
    "a b",
    "",
]
#: What a cell of the table means, as status codes.
MEANING = {"all": {200, 303, 308}, "yes": {200, 303}, "no": {403}, "login": {401}}


def table() -> dict[str, dict[str, str]]:
    """The table of the docs: by route and role, one word of `MEANING`."""
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    start = next(place for place, line in enumerate(lines) if line.startswith("| route |"))
    roles = cells(lines[start])[1:]
    rows = {}
    for line in lines[start + 1 :]:
        route, *words = cells(line)
        if not route.startswith("`/"):
            break
        rows[route.strip("`")] = dict(zip(roles, words, strict=True))
    return rows


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the API server answered, to everybody, everywhere."""
    folder = tmp_path_factory.mktemp("doors")
    for name in ("airflow", "mlflow"):
        (folder / "var" / name).mkdir(parents=True)
    environment = {
        **deployment_environment(folder / "var"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__BASE_URL": "http://airflow.example:8080",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://tasks.example:8080/execution/",
        "ALLOWED_HOSTS": "*.proxy.example",
        "KEDRO_PROJECT_PATH": str(write_project(folder / "lettings")),
        "RETRAINING_MLFLOW_UI": "http://mlflow.example",
        "PYTHONPATH": str(ROOT),
    }
    # Not the tables that other tests copy: this login has tables of its own.
    migration = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migration, env={**os.environ, **environment}, check=True, capture_output=True, timeout=900)
    command = [sys.executable, "-W", "ignore", "-m", "tests.library.web.doors_probe", str(folder), *ALLOWED, *REFUSED]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_every_route_has_a_row(said: dict[str, Any]):
    assert sorted(said["answers"]) == sorted(table())


@pytest.mark.slow
def test_every_role_sees_what_its_row_says_whatever_run_is_in_the_address(said: dict[str, Any]):
    wrong = []
    for route, row in table().items():
        for role, word in row.items():
            answers = said["answers"][route][role]
            # Only a parent has a version; that its child has none is no refusal.
            also = {404} if "{run_id}" in route and word == "yes" else set()
            wrong += [(path, role, word, status) for path, status in answers if status not in MEANING[word] | also]
            wrong += [(answers[0], role, word)] if answers[0][1] not in MEANING[word] else []
    assert wrong == []


@pytest.mark.slow
def test_a_run_of_a_stranger_is_not_there_whatever_it_says_of_itself(said: dict[str, Any]):
    assert len(said["strangers"]) > 20
    for path, roles in said["strangers"].items():
        assert roles.pop("anonymous") == 401, path
        assert set(roles.values()) == {404}, (path, roles)
    assert not said["shown"]


@pytest.mark.slow
def test_no_path_answers_to_a_name_that_is_not_this_deployments(said: dict[str, Any]):
    for host in ALLOWED:
        assert 400 not in said["hosts"][host], host
    for host in REFUSED:
        assert set(said["hosts"][host]) == {400}, host


def test_a_cell_of_the_table_is_a_word_with_a_meaning():
    rows = table()
    assert {word for row in rows.values() for word in row.values()} <= set(MEANING)
    assert all(re.match(r"/(forecasts|to-mlflow)", route) for route in rows)
