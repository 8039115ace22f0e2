"""Asks a real API server, with FAB's login, every address of this library's pages as every role; prints what it said.

Run as a program of its own by `test_doors.py`: Airflow reads its settings when it is imported.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import create_app
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from mlflow.tracking import MlflowClient
from starlette.testclient import TestClient

from tests.fixtures.stored_forecasts import EXPERIMENT, store_months
from tracked_kedro.web.mounted import Application

PARENT = "mlflow.parentRunId"
PICTURE = "figures/one.png"
ROLES = {"website only": "Website", "Viewer": "Viewer", "User": "User", "Admin": "Admin"}
PLACES = ["/", "/api/v2/version", "/auth/login", "/execution/health", "/forecasts/", "/forecasts/plotly.js"]
PLACES += ["/to-mlflow/", "/static/nothing.js", "/no/such/page"]


def main(folder: Path) -> None:
    runs = stored(folder)
    app = create_app()
    server = TestClient(app, base_url="http://localhost", follow_redirects=False, raise_server_exceptions=False)
    logins = {"anonymous": {}, **logged_in(server)}

    def status(path: str, role: str) -> int:
        server.cookies.clear()
        return server.get(path, headers=logins[role]).status_code

    server.get("/to-mlflow/"), server.get("/forecasts/")  # builds both
    values = {
        "dag": [EXPERIMENT],
        "experiment": [EXPERIMENT],
        "kind": ["csv", "parquet"],
        "path": [PICTURE],
        "run_id": runs["ours"],
        "series": ["s00001"],
        "table": ["overview", "forecasts"],
    }
    answers: dict[str, Any] = {}
    for route in routes(app):
        own = {"path": ["shell.css" if "/shell/" in route else "page.css"]} if "/static/" in route else {}
        for path in filled(route, values | own):
            for role in logins:
                answers.setdefault(route, {}).setdefault(role, []).append([path, status(path, role)])
    strange = [
        path for route in answers if "{run_id}" in route for path in filled(route, {**values, "run_id": runs["theirs"]})
    ]
    strange += [f"/forecasts/{name}" for name in ("strangers", "nowhere")]
    strange += [f"/to-mlflow/dag/{name}" for name in ("strangers", "%27%20OR%201", "http:evil.example")]
    print(
        json.dumps(
            {
                "answers": answers,
                "strangers": {path: {role: status(path, role) for role in logins} for path in strange},
                "shown": "strangers" in server.get("/forecasts/", headers=logins["Admin"]).text,
                "hosts": {
                    host: [server.get(place, headers={"Host": host}).status_code for place in PLACES]
                    for host in sys.argv[2:]
                },
            }
        )
    )


def stored(folder: Path) -> dict[str, list[str]]:
    """Ids of runs: of ours (a parent, its child, the child's child), and of those that are nobody's here."""
    client = MlflowClient()
    ours = client.create_experiment(EXPERIMENT, artifact_location=(folder / "ours").as_uri())
    theirs = client.create_experiment("strangers", artifact_location=(folder / "theirs").as_uri())
    filled = store_months(client, 2, 3, tags={"airflow.dag_id": EXPERIMENT})
    parent = filled.parents["2019-10"]
    child = filled.children["2019-10", "s00001"]

    def run(experiment: str, **tags: str) -> str:
        return client.create_run(
            experiment, tags={name.replace("__", "."): value for name, value in tags.items()}
        ).info.run_id

    grandchild = run(ours, mlflow__parentRunId=child)
    forged = run(theirs, airflow__dag_id=EXPERIMENT)
    strange = [
        forged,
        run(theirs, mlflow__parentRunId=forged),
        run(theirs, mlflow__parentRunId=parent),
        run(ours, mlflow__parentRunId=forged),
        run(ours, mlflow__parentRunId="../../somewhere"),
        run(ours, airflow__dag_id="another"),
    ]
    circle = run(ours)
    client.set_tag(circle, PARENT, circle)
    (folder / "one.png").write_bytes(b"PNG")
    (folder / "report.html").write_text("A report")
    client.log_artifact(parent, str(folder / "report.html"), "report")
    for one in (parent, child, grandchild, circle, *strange):
        client.log_artifact(one, str(folder / "one.png"), "figures")
    return {"ours": [parent, child, grandchild], "theirs": [*strange, circle]}


def logged_in(server: TestClient) -> dict[str, dict[str, str]]:
    """Headers of a user of each role."""
    with get_application_builder() as builder:
        manager = builder.sm
        website = manager.add_role("Website")
        manager.add_permission_to_role(website, manager.create_permission("can_read", "Website"))
        for name in ROLES.values():
            assert manager.add_user(
                name, name, name, f"{name}@example.invalid", manager.find_role(name), "of this test"
            )
    tokens = {}
    for role, name in ROLES.items():
        answer = server.post("/auth/token", json={"username": name, "password": "of this test"})
        tokens[role] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return tokens


def routes(app: Any) -> list[str]:
    """Every route of this library's pages, as the API server has mounted them."""
    pages = {
        route.path: route.app._built for route in app.routes if isinstance(getattr(route, "app", None), Application)
    }
    return sorted({f"{prefix}{path}" for prefix, page in pages.items() for path in _paths(page.routes)})


def _paths(found: list[Any]) -> list[str]:
    return [
        f"{one.path}/{{path}}" if type(one).__name__ == "Mount" else re.sub(r":\w+}", "}", one.path) for one in found
    ]


def filled(route: str, values: dict[str, list[str]]) -> list[str]:
    """Addresses of a route, with all its values; a name without one is an error, as a route without a row is."""
    names = re.findall(r"{(\w+)}", route)
    return [
        route.format(**dict(zip(names, chosen, strict=True)))
        for chosen in itertools.product(*(values[one] for one in names))
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
