"""A past run, run again beside the present one from its commit, parameters and raw inputs, and the results compared."""

from __future__ import annotations

import ast
import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from omegaconf import OmegaConf

from tracked_kedro.kedro_side.locations import project_path, raw_inputs
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.paging import paged

MANIFEST = "inputs/raw_inputs.json"
# Equal to the last bit on one machine; other processors round sums differently.
TOLERANCE = 1e-6
# What tells of the machine and the moment, and the audit, which samples for minutes.
_OF_THE_MOMENT = ("seconds", "audit", "series_done")
_RUN = """
import json, sys
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
asked = json.load(sys.stdin)
bootstrap_project(asked["project"])
with KedroSession.create(project_path=asked["project"], runtime_params=asked["parameters"]) as session:
    session.run(pipeline_names=[asked["pipeline"]])
"""


class CannotReproduceError(ValueError):
    """A run lacks what is needed to run it again; the message says what."""


@dataclass(frozen=True)
class Recipe:
    """What a run was made from.

    Attributes:
        parameters: of its pipeline, by their full names.
        files: digests of its raw inputs by file name.
        inputs_parameter: the parameter that names the raw inputs: their folder, or one of them.
        input_file: which one; empty for the folder.
    """

    pipeline: str
    commit: str
    dirty: bool
    parameters: Mapping[str, Any]
    files: Mapping[str, str]
    inputs_parameter: str
    input_file: str = ""

    @classmethod
    def of(cls, run: Run) -> Recipe:
        """Read it from a finished parent run.

        Raises:
            CannotReproduceError: the run is not finished, or does not tell its commit or raw inputs.
        """
        tags = run.data.tags
        if run.info.status != "FINISHED":
            raise CannotReproduceError(f"the run is {run.info.status}; only a finished run can be compared")
        if not tags.get("git_commit"):
            raise CannotReproduceError("the run has no tag git_commit: is it a parent run, made in a git checkout?")
        try:
            manifest = json.loads(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{MANIFEST}"))
        except (MlflowException, OSError) as error:
            raise CannotReproduceError(f"the run has no artifact {MANIFEST}, which names its raw inputs") from error
        pipeline = manifest["parameter"].partition(".")[0]
        own = {name: _value(text) for name, text in run.data.params.items() if name.startswith(f"{pipeline}.")}
        dirty = tags.get("git_dirty") == "true"
        named = (manifest["files"], manifest["parameter"], manifest.get("file", ""))
        return cls(pipeline, tags["git_commit"], dirty, own, *named)

    def run_again(self, folder: Path, log: Path) -> MlflowClient:
        """Run the pipeline in a folder, with stores of its own; a client of its MLflow store.

        Raises:
            CannotReproduceError: the commit is not in this checkout, or the run failed.
            RawInputError: a raw input is not kept any more.
        """
        code, files = folder / "code", folder / "inputs"
        self._check_out(code)
        files.mkdir()
        kept = RawInputs(raw_inputs())
        for name, digest in self.files.items():
            shutil.copyfile(kept.local(digest), files / name)
        parameters = {**self.parameters, self.inputs_parameter: str(files / self.input_file)}
        # The audit samples for minutes, and is not compared.
        if f"{self.pipeline}.audit_series" in parameters:
            parameters[f"{self.pipeline}.audit_series"] = 0
        project = code / "kedro_project"
        asked = {"project": str(project), "pipeline": self.pipeline, "parameters": _nested(parameters)}
        store = f"sqlite:///{folder}/var/mlflow/mlflow.db"
        (folder / "var" / "mlflow").mkdir(parents=True)
        foreign = ("RETRAINING", "KEDRO_ENV", "MLFLOW_TRACKING", "AWS_")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "RETRAINING_VAR": str(folder / "var"),
            "MLFLOW_TRACKING_URI": store,
            "KEDRO_LOGGING_CONFIG": str(project / "conf" / "logging.yml"),
            "KEDRO_PROJECT_PATH": str(project),
            "PYTHONPATH": f"{code / 'plugins'}:{project / 'src'}",
        }
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            done = subprocess.run(
                [sys.executable, "-c", _RUN],
                input=json.dumps(asked),
                env=environment,
                cwd=project,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        if done.returncode:
            raise CannotReproduceError(f"the run failed this time: {log.read_text().splitlines()[-1]} (log: {log})")
        return MlflowClient(store)

    def _check_out(self, target: Path) -> None:
        archive = target.with_suffix(".tar")
        command = ["git", "-C", str(project_path().parent), "archive", "--output", str(archive), self.commit]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CannotReproduceError(
                f"commit {self.commit} is not in {project_path().parent}: {done.stderr.strip()}; fetch it first"
            )
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
        if not (target / "plugins" / "pyproject.toml").is_file():
            raise CannotReproduceError(
                f"commit {self.commit[:12]} is older than 0.2.0, and this environment has the packages of today; check "
                "it out in a folder of its own, and run `make reproduce` there with MLFLOW_TRACKING_URI of this store"
            )


def differences(before: MlflowClient, parent: Run, after: MlflowClient, again: Run) -> Iterator[str]:
    """What two parent runs, and their child runs, do not have in common; first what others follow from."""
    ones, others = (_digests(run) for run in (parent, again))
    for name in sorted(ones.keys() & others.keys()):
        if ones[name] != others[name]:
            yield f"input {name}: digest was {ones[name]}, is {others[name]}"
    children, repeated = _children(before, parent), _children(after, again)
    if children.keys() != repeated.keys():
        yield f"series were {sorted(children)}, are {sorted(repeated)}"
    for series in sorted(children.keys() & repeated.keys()):
        yield from _of_values(f"{series}, parameter", children[series].data.params, repeated[series].data.params)
        yield from _of_values(f"{series}, metric", children[series].data.metrics, repeated[series].data.metrics)
    # What compares with models of the store, such as a champion's score, is in the first run alone.
    common = parent.data.metrics.keys() & again.data.metrics.keys()
    pairs = ({name: run.data.metrics[name] for name in common} for run in (parent, again))
    yield from _of_values("metric", *pairs)


def _of_values(label: str, ones: Mapping[str, Any], others: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(ones.keys() | others.keys()):
        if name.startswith(_OF_THE_MOMENT) or name.endswith(_OF_THE_MOMENT):
            continue
        one, other = ones.get(name), others.get(name)
        if not _equal(one, other):
            yield f"{label} {name} was {one}, is {other}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (one != one and other != other)
    return one == other


def _children(client: MlflowClient, parent: Run) -> dict[str, Run]:
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' AND attributes.status = 'FINISHED'"
    found = paged(client.search_runs, [parent.info.experiment_id], query)
    return {run.data.tags.get("series", run.info.run_name): run for run in found}


def _digests(run: Run) -> dict[str, str]:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return {one.dataset.name: one.dataset.digest for one in inputs}


def _value(text: str) -> Any:
    """A parameter as it was: MLflow keeps what Python's `str` made of it."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    tree = OmegaConf.create({})
    for name, value in parameters.items():
        OmegaConf.update(tree, name, value)
    return cast("dict[str, Any]", OmegaConf.to_container(tree))
