"""From a task's buttons to MLflow's pages, and an approval's pictures: asked for only when somebody follows a link."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from tracked_kedro import mlflow_pages
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.names import MODEL_VERSION_TAG
from tracked_kedro.web import shell
from tracked_kedro.web.access import User, may_read
from tracked_kedro.web.tracking import NotStoredError, Tracking, model_version_of

_MOST_BYTES = 16 * 2**20  # of a picture
# Runs of a DAG that are looked through for what the newest of them may not have yet.
_RECENT = 10
_FORBIDDEN = HTTPException(403, "You may not see the runs of this DAG")


def application() -> FastAPI:
    """The ways to MLflow, with nothing read yet."""
    app = shell.application("MLflow", "See in MLflow whether the run is there: somebody may have deleted it.")
    tracking = Tracking()
    _add_ways(app, tracking)

    @app.get("/picture/{run_id}/{path:path}")
    def picture(user: User, run_id: str, path: str) -> Response:
        _run(tracking, user, run_id)
        if not path.endswith(".png") or ".." in path.split("/"):
            raise NotStoredError("Only pictures (.png) are shown here")
        content = tracking.artifact(run_id, path, _MOST_BYTES)
        return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})

    return app


def _add_ways(app: FastAPI, tracking: Tracking) -> None:
    @app.get("/")
    def home(request: Request, user: User) -> Response:
        return _to(request, lambda base: mlflow_pages.experiments(base))

    @app.get("/run/{run_id}")
    def run(request: Request, user: User, run_id: str) -> Response:
        return _to(request, lambda base: mlflow_pages.run(base, experiment_of(user, run_id), run_id))

    @app.get("/run/{run_id}/children")
    def children(request: Request, user: User, run_id: str, series: str = "") -> Response:
        def address(base: str) -> str:
            parent = _run(tracking, user, run_id)
            wanted = {unquote(one) for one in series.split(",") if one}
            ids = tracking.children_of(parent, wanted) if wanted else []
            experiment = parent.info.experiment_id
            if len(ids) == 1:
                return mlflow_pages.run(base, experiment, ids[0])
            quoted = ", ".join(f"'{one}'" for one in ids)
            query = f"attributes.run_id IN ({quoted})" if ids else f"tags.`mlflow.parentRunId` = '{run_id}'"
            return mlflow_pages.search(base, experiment, query)

        return _to(request, address)

    @app.get("/report/{run_id}")
    def report(request: Request, user: User, run_id: str) -> Response:
        return _to(request, lambda base: mlflow_pages.report(base, experiment_of(user, run_id), run_id))

    @app.get("/version/{run_id}")
    def version(request: Request, user: User, run_id: str) -> Response:
        def address(base: str) -> str:
            found = model_version_of(_run(tracking, user, run_id))
            if found is None:
                raise NotStoredError("This DAG run has registered no model version")
            return mlflow_pages.version(base, *found)

        return _to(request, address)

    @app.get("/dag/{dag}")
    def newest_run(request: Request, user: User, dag: str) -> Response:
        def address(base: str) -> str:
            for found in _newest(tracking, user, dag, 1):
                return mlflow_pages.run(base, found.info.experiment_id, found.info.run_id)
            raise NotStoredError(f"{dag} has no run in MLflow yet")

        return _to(request, address)

    @app.get("/dag/{dag}/report")
    def newest_report(request: Request, user: User, dag: str) -> Response:
        def address(base: str) -> str:
            # One that is under way, or has failed, may have none yet.
            for found in _newest(tracking, user, dag, _RECENT):
                if tracking.has_artifact(found, mlflow_pages.REPORT):
                    return mlflow_pages.report(base, found.info.experiment_id, found.info.run_id)
            raise NotStoredError(f"None of the newest runs of {dag} keeps {mlflow_pages.REPORT}")

        return _to(request, address)

    @app.get("/dag/{dag}/version")
    def newest_version(request: Request, user: User, dag: str) -> Response:
        def address(base: str) -> str:
            for found in _newest(tracking, user, dag, _RECENT, MODEL_VERSION_TAG):
                if version := model_version_of(found):
                    return mlflow_pages.version(base, *version)
            raise NotStoredError(f"{dag} has registered no model version yet")

        return _to(request, address)

    def experiment_of(user: Any, run_id: str) -> str:
        return _run(tracking, user, run_id).info.experiment_id


def _newest(tracking: Tracking, user: Any, dag: str, most: int, tag: str | None = None) -> list[Any]:
    tracking.experiments_of(dag)  # one that is not there is not there for anybody
    if not may_read(user, [dag]):
        raise _FORBIDDEN
    return tracking.newest(dag, most, tag)


def _run(tracking: Tracking, user: Any, run_id: str) -> Any:
    found = tracking.run(run_id)
    if not may_read(user, tracking.dags_of(found)):
        raise _FORBIDDEN
    return found


def _to(request: Request, address: Any) -> Response:
    base = mlflow_pages.address(tracking_server.address())
    if base is None:
        return shell.page(
            request,
            "message.html",
            title="MLflow's pages are not being served",
            text="The runs are in a database that no MLflow server shows at this moment.",
            remedy=f"Start `make ui`, which serves both, or set {mlflow_pages.ADDRESS_VARIABLE} to the address of "
            "your MLflow server as a browser reaches it, and restart Airflow's API server.",
        )
    return RedirectResponse(address(base), 303)
