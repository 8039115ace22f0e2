"""A past run of a hosted project, run again from its commit, with the files that it has read, in its own environment.

As for any run (`reproduction`): what the tracking store says is data. The project is the one whose block stands in
airflow.yml here, its commit one of that checkout's history, its files those that lie in it and have the same content.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tracked_kedro import names
from tracked_kedro.cli.commits import CannotReproduceError, Commit
from tracked_kedro.cli.environments import hosted_projects
from tracked_kedro.cli.printable import printable
from tracked_kedro.cli.reproduction import isolated
from tracked_kedro.errors import TrackedKedroError
from tracked_kedro.guest.inputs import file_digest
from tracked_kedro.guest.request import INPUTS
from tracked_kedro.hosting.child import Child
from tracked_kedro.hosting.facts import built_of, repository
from tracked_kedro.hosting.project import HostedProject
from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.kedro_side.plain_values import refuse_what_is_not_plain

#: Of a repetition, in a store of its own.
EXPERIMENT = "repetition"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_hosted_run(run: Run) -> bool:
    """Whether a run is one of a hosted project."""
    return names.HOSTED_PARAMS_TAG in run.data.tags


@dataclass(frozen=True)
class HostedRecipe:
    """What a run of a hosted project was made from.

    Attributes:
        project: as its block names it now.
        repository: the checkout that it lies in.
        place: of the project in that, empty or ending with "/".
        commit: what the run's tag says; `Commit.of` judges it.
        dirty: whether there were changes that no commit holds.
        lock_digest: of the file that says which libraries it wanted.
        parameters: that the DAG run has set.
        files: SHA-256 by path in the project.
    """

    project: HostedProject
    repository: Path
    place: str
    commit: str
    dirty: bool
    lock_digest: str
    parameters: Mapping[str, Any]
    files: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> HostedRecipe:
        """Read it from a finished parent run.

        Raises:
            CannotReproduceError: the run is not finished, its project is not hosted here or in no git checkout, or the
                run does not tell what it was made from.
        """
        tags = run.data.tags
        if run.info.status != "FINISHED":
            raise CannotReproduceError(f"the run is {run.info.status}; only a finished run can be compared")
        dag = tags.get("airflow.dag_id", "")
        project = hosted_projects(project_path()).get(dag)
        if project is None:
            raise CannotReproduceError(
                f"airflow.yml has no block of the hosted project {printable(dag)!r} here; make add-project brings it"
            )
        found = repository(project.folder)
        if found is None or "project_commit" not in tags:
            raise CannotReproduceError(
                f"the project {project.folder} lay in no git checkout when the run was made, or lies in none now: its "
                "code of that time is not known"
            )
        top, place = found
        dirty = tags.get("project_dirty") == "true"
        digest = tags.get("lock_digest", "")
        parameters, files = _parameters(tags[names.HOSTED_PARAMS_TAG]), _files(run)
        return cls(project, top, place, tags["project_commit"], dirty, digest, parameters, files)

    def run_again(self, commit: Commit, folder: Path, log: Path) -> MlflowClient:
        """Run the pipeline in a folder, with a store of its own; a client of that.

        Args:
            commit: its commit, judged.
            folder: an empty one.
            log: file for what the run says.

        Raises:
            CannotReproduceError: a file or the environment is not what it was, or the run failed.
        """
        if self.project.environment == "own" and built_of(self.project).get("lock_digest") != self.lock_digest:
            raise CannotReproduceError(
                f"the environment of {self.project.name} was built of another lock than the run's; check its commit "
                f"{commit.full_id[:12]} out, then make environments NAME={self.project.name}"
            )
        commit.export(folder / "code")
        project = folder / "code" / self.place
        for name, digest in self.files.items():
            self._put(name, digest, project)
        # What is on one machine only is in no commit, and Kedro wants its folder.
        (project / "conf" / "local").mkdir(parents=True, exist_ok=True)
        environment = isolated(folder)
        client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
        made = client.create_experiment(EXPERIMENT, (folder / "var" / "mlflow" / "artifacts").as_uri())
        run = client.create_run(made)
        there = replace(self.project, project=str(project))
        child = Child(there, environment["MLFLOW_TRACKING_URI"], source=environment)
        with _logged(log):
            try:
                child.call(
                    "run",
                    data=str(folder / "data"),
                    run_id=run.info.run_id,
                    runtime_params=dict(self.parameters),
                )
            except TrackedKedroError as error:
                raise CannotReproduceError(f"the run failed this time: {printable(str(error))} (log: {log})") from error
        return client

    def _put(self, name: str, digest: str, project: Path) -> None:
        target = project / name
        if not (target.is_file() and file_digest(target) == digest):
            kept = self.project.folder / name
            if not kept.is_file() or file_digest(kept) != digest:
                raise CannotReproduceError(
                    f"it has read {printable(name)} with the SHA-256 {digest[:12]}…, which neither its commit nor "
                    f"{self.project.folder} holds now; put that file back there"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, target)


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """What a child process logs, in a file and nowhere else."""
    file.parent.mkdir(parents=True, exist_ok=True)
    root, handler = logging.getLogger(), logging.FileHandler(file, mode="w")
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        handler.close()


def _parameters(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("no mapping")
        refuse_what_is_not_plain(found)
    except ValueError as error:
        tag = names.HOSTED_PARAMS_TAG
        raise CannotReproduceError(f"its tag {tag} is not ours: {printable(str(error))}") from error
    return found


def _files(run: Run) -> dict[str, str]:
    """SHA-256 of each file of the project that the run has read."""
    files: dict[str, str] = {}
    client = MlflowClient()
    try:
        for one in client.list_artifacts(run.info.run_id, INPUTS):
            content = json.loads(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{one.path}"))
            for name, digest in content.items():
                pure = PurePosixPath(name)
                if pure.is_absolute() or ".." in pure.parts or not _DIGEST.fullmatch(str(digest)):
                    raise CannotReproduceError(f"its artifact {printable(one.path)} is not ours: {printable(name)}")
                files[name] = digest
    except CannotReproduceError:
        raise
    except (MlflowException, OSError, ValueError, AttributeError) as error:
        raise CannotReproduceError(f"its artifacts in {INPUTS}/ are not ours") from error
    return files
