"""A registered model that answers in its project's own interpreter: bodies of requests in, answers out, one by one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tracked_kedro.guest.project import checked
from tracked_kedro.guest.request import Request


def answer(request: Request) -> None:
    """Load the model of the folder `request.data` and answer each line of standard input until that is closed."""
    folder = Path(request.project)
    # What a pickle of the project holds is imported from there.
    sys.path.insert(0, str(folder / checked(folder).get("source_dir", "src")))
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(request.data)
    schema = model.metadata.get_input_schema()
    with os.fdopen(request.answers, "w") as answers:
        print(json.dumps([200, "ready"]), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(_answered(json.loads(line), model, schema)), file=answers, flush=True)


def _answered(body: str, model, schema) -> tuple[int, str]:
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import scoring_server

    try:
        made = scoring_server.invocations(body, scoring_server.CONTENT_TYPE_JSON, model, schema)
    except MlflowException as error:
        return error.get_http_status_code(), error.serialize_as_json()
    except Exception as error:  # noqa: BLE001 - whatever a model raises is an answer
        said = {"error_code": "BAD_REQUEST", "message": f"{type(error).__name__}: {error}"}
        return 400, json.dumps(said)
    return made.status, made.response
