"""A past run, run again beside the present one from its commit, parameters and raw inputs.

Whoever may write to the tracking store may have written what a run says of itself. It is read as data: nothing of it
is a path, an option, an expression or a commit that the person's own history does not hold, and the code that runs gets
an environment without secrets. It runs as the person's own user all the same.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from tracked_kedro.cli.commits import CannotReproduceError, Commit
from tracked_kedro.cli.printable import printable
from tracked_kedro.kedro_side.locations import project_path, raw_inputs
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.kedro_side.sources.rules import VARIABLE
from tracked_kedro.rendering.completion import dag_blocks, unscheduled

MANIFEST = "inputs/raw_inputs.json"
# What a calculation needs of the environment; anything else may be a secret.
ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONWARNINGS", "MALLOC_ARENA_MAX"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"),
    *("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "SCARF_ANALYTICS", "GIT_PYTHON_REFRESH"),
)
_RUN = """
import json, sys
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
asked = json.load(sys.stdin)
bootstrap_project(asked["project"])
with KedroSession.create(project_path=asked["project"], runtime_params=asked["parameters"]) as session:
    session.run(pipeline_names=[asked["pipeline"]])
"""


def base_name(name: str) -> str:
    """A plain file name, as it is.

    Raises:
        ValueError: it is empty, hidden, too long for a folder, or has a separator or control character.
    """
    if re.search(r"[/\\]", name) or name.startswith(".") or not name or not name.isprintable():
        raise ValueError("no plain file name")
    if len(name.encode(errors="replace")) > 255:
        raise ValueError("a file name of more than 255 bytes")
    return name


_BaseName = Annotated[str, AfterValidator(base_name)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Dotted = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]


class _Inputs(BaseModel):
    """The artifact that names a run's raw inputs."""

    parameter: _Dotted
    files: dict[_BaseName, _Digest]
    file: _BaseName | None = None


@dataclass(frozen=True)
class Recipe:
    """What a run was made from.

    Attributes:
        commit: what its tag says; `Commit.of` judges it.
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
            CannotReproduceError: the run is not finished, or does not tell its commit, parameters or raw inputs in
                the way that a run of these rails does.
        """
        tags = run.data.tags
        if run.info.status != "FINISHED":
            raise CannotReproduceError(f"the run is {run.info.status}; only a finished run can be compared")
        if not tags.get("git_commit"):
            raise CannotReproduceError("the run has no tag git_commit: is it a parent run, made in a git checkout?")
        try:
            inputs = _Inputs.model_validate_json(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{MANIFEST}"))
        except ValidationError as error:
            first = error.errors()[0]
            where = printable(".".join(map(str, first["loc"])))
            raise CannotReproduceError(f"its artifact {MANIFEST} is not ours: {where}: {first['msg']}") from error
        except (MlflowException, OSError, UnicodeError) as error:
            raise CannotReproduceError(f"the run has no artifact {MANIFEST}, which names its raw inputs") from error
        pipeline = inputs.parameter.partition(".")[0]
        own = {name: _value(name, text) for name, text in run.data.params.items() if name.startswith(f"{pipeline}.")}
        dirty = tags.get("git_dirty") == "true"
        return cls(pipeline, tags["git_commit"], dirty, own, inputs.files, inputs.parameter, inputs.file or "")

    @property
    def repository(self) -> Path:
        """The checkout whose history holds its commit."""
        return project_path().parent

    def run_again(self, commit: Commit, folder: Path, log: Path) -> MlflowClient:
        """Run the pipeline in a folder, with stores of its own; a client of its MLflow store.

        Args:
            commit: its commit, judged.
            folder: an empty one.
            log: file for what the run says.

        Raises:
            CannotReproduceError: the commit cannot be exported, is of a time before the library, or the run failed.
            RawInputError: a raw input is not kept any more.
        """
        code, files = folder / "code", folder / "inputs"
        commit.export(code)
        if not (code / "plugins" / "pyproject.toml").is_file():
            raise CannotReproduceError(
                f"commit {commit.full_id[:12]} is older than 0.2.0, and this environment has the packages of today; "
                "check it out in a folder of its own, and run `make reproduce` there with MLFLOW_TRACKING_URI of this "
                "store"
            )
        files.mkdir()
        kept = RawInputs(raw_inputs())
        for name, digest in self.files.items():
            shutil.copyfile(kept.local(digest), files / name)
        parameters = {**self.parameters, self.inputs_parameter: str(files / self.input_file)}
        # What a scheduled run does besides may take long, and its results are not compared.
        parameters |= {name: value for name, value in self._unscheduled().items() if name in parameters}
        project = code / "kedro_project"
        asked = {"project": str(project), "pipeline": self.pipeline, "parameters": _nested(parameters)}
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = isolated(folder)
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
            last = printable((log.read_text(errors="replace").splitlines() or ["it said nothing"])[-1])
            raise CannotReproduceError(f"the run failed this time: {last} (log: {log})")
        return MlflowClient(environment["MLFLOW_TRACKING_URI"])

    def _unscheduled(self) -> dict[str, Any]:
        block = dag_blocks(project_path()).get(self.pipeline) if self.parameters else None
        return unscheduled(block) if block else {}


def isolated(folder: Path) -> dict[str, str]:
    """The environment of a repetition in `folder`: nothing that this process knows of stores, keys or people."""
    code, home = folder / "code", folder / "home"
    home.mkdir()
    (folder / "var" / "mlflow").mkdir(parents=True)
    project = code / "kedro_project"
    return {
        **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        # Clients of stores look for credentials in the home folder.
        "HOME": str(home),
        "RETRAINING_VAR": str(folder / "var"),
        VARIABLE: json.dumps([str(folder / "inputs")]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/var/mlflow/mlflow.db",
        "KEDRO_LOGGING_CONFIG": str(project / "conf" / "logging.yml"),
        "KEDRO_PROJECT_PATH": str(project),
        "PYTHONPATH": f"{code / 'plugins'}:{project / 'src'}",
    }


def _value(name: str, text: str) -> Any:
    """A parameter as it was: MLflow keeps what Python's `str` made of it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    if "${" in name or "${" in repr(value):
        raise CannotReproduceError(f"its parameter {printable(name)} holds ${{…}}, which configuration would execute")
    return value


def _nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    tree = OmegaConf.create({})
    for name, value in parameters.items():
        try:
            OmegaConf.update(tree, name, value)
        except (OmegaConfBaseException, TypeError) as error:
            raise CannotReproduceError(f"its parameter {printable(name)} is none that a configuration has") from error
    return cast("dict[str, Any]", OmegaConf.to_container(tree))
