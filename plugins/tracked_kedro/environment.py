"""Environment variables that this library reads, and what each means. Standard library only.

Those of Airflow, Kedro and MLflow are their own; limits of the server for predictions are `serving.limits.Limits`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes:
        name: as it stands in the environment.
        default: what holds where it is not set, in words where it depends.
        meaning: one sentence.
        read_by: the processes that must have it.
    """

    name: str
    default: str
    meaning: str
    read_by: str


VARIABLES = (
    Variable(
        "RETRAINING_VAR",
        "`var/` beside the Kedro project",
        "Folder for everything that is made at run time.",
        "all",
    ),
    Variable(
        "RETRAINING_DATA",
        "`<RETRAINING_VAR>/data`; none where `KEDRO_ENV=prod`",
        "Folder or address (`s3://bucket/runs`) of the data that tasks hand to each other.",
        "tasks, `kedro run`",
    ),
    Variable("KEDRO_PROJECT_PATH", "`kedro_project/` beside `plugins/`", "The Kedro project.", "all"),
    Variable("KEDRO_ENV", "`local`", "Kedro's environment; `prod` wants a store for data.", "all"),
    Variable(
        "RETRAINING_ENVIRONMENTS",
        "`<RETRAINING_VAR>/environments`",
        "Folder of the environments that `make environments` builds for hosted projects.",
        "tasks, `make dags`, server for predictions",
    ),
    Variable(
        "HOSTED_PROJECT_PROCESS",
        "none; not to be set by hand",
        "`1` in a hosted project's process, where a model of it that is a pickle may be loaded.",
        "hosted projects",
    ),
    Variable(
        "ALLOWED_SOURCES",
        "none",
        "What parameters of a run may name beside the raw folder: folders, `s3://` buckets, hosts; by commas.",
        "tasks, `kedro run`",
    ),
    Variable(
        "ALLOW_SIMULATED",
        "`1`; `0` where `KEDRO_ENV=prod`",
        "Whether a run that finds no input files trains on its pipeline's simulated sample.",
        "tasks, `kedro run`",
    ),
    Variable(
        "ALLOWED_HOSTS",
        "loopback's names",
        "Names under which a server of ours answers besides these; by commas, `*.example.org` stands for all below it.",
        "API server, server for predictions",
    ),
    Variable(
        "MODEL_SIGNING_KEY_FILE",
        "`<RETRAINING_VAR>/model_signing_key`",
        "File with the key that registered versions are signed with.",
        "tasks, server for predictions",
    ),
    Variable(
        "MODEL_LOCATIONS",
        "none",
        "Further places of artifacts from which a version may be loaded; addresses by commas.",
        "tasks, server for predictions",
    ),
    Variable(
        "SERVING_TOKEN",
        "none: anybody may ask",
        "What a request must bring as `Authorization: Bearer …`.",
        "server for predictions",
    ),
    Variable(
        "RETRAINING_MLFLOW_UI",
        "the address that the tasks use",
        "Address of MLflow for browsers, where that of the tasks is not theirs.",
        "API server, tasks",
    ),
    Variable(
        "RETRAINING_PRELOAD",
        "`1`",
        "`0`: schedulers and workers import nothing ahead of the tasks that they fork.",
        "scheduler, Celery workers",
    ),
    Variable(
        "RETRAINING_WORKER",
        "the host's name",
        "Name of a Celery worker, where one machine has several.",
        "Celery workers",
    ),
    Variable(
        "RETRAINING_GIT_COMMIT",
        "what Git says of the checkout",
        "Commit of the code, where there is no checkout to ask: in an image.",
        "tasks",
    ),
)
