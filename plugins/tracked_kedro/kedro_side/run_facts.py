"""Datasets for facts about the parent run: tags and the table it was trained on."""

from __future__ import annotations

import logging
import os
import subprocess
import warnings
from typing import Any

import mlflow
import polars as pl
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition
from mlflow.data.polars_dataset import from_polars

from tracked_kedro.kedro_side.digest import table_digest
from tracked_kedro.kedro_side.locations import project_path

log = logging.getLogger(__name__)


class MlflowRunTagsDataset(AbstractDataset[dict[str, str], None]):
    """Tags of the active run, joined with the commit of the code that made it. The tag `mlflow.runName` names it."""

    def __init__(self) -> None:
        self._logging_activated = True

    def save(self, data: dict[str, str]) -> None:
        """Set the tags, in one request each; nothing where tracking is off."""
        if self._logging_activated and mlflow.active_run():
            mlflow.set_tags({**git_tags(), **data})

    def load(self) -> None:
        """Tags are written, never read."""
        raise NotImplementedError("run tags are written, never read")

    def _describe(self) -> dict[str, Any]:
        return {}


class MlflowInputDataset(AbstractDataset[pl.DataFrame, pl.DataFrame]):
    """A stored table that the active run also lists among its inputs, with its digest.

    Args:
        dataset: definition of the dataset that stores the table.
        name: name of the input in MLflow.
        context: what the run did with it, "training" by default.
    """

    def __init__(self, dataset: dict[str, Any], name: str, context: str = "training") -> None:
        kind, arguments = parse_dataset_definition(dataset)
        self._dataset = kind(**arguments)
        # As configured: the dataset's own description drops the protocol (s3://).
        self._source = str(arguments.get("filepath"))
        self._name = name
        self._context = context
        self._logging_activated = True

    def save(self, data: pl.DataFrame) -> None:
        """Store the table and tell the run about it."""
        self._dataset.save(data)
        if self._logging_activated and mlflow.active_run():
            with warnings.catch_warnings():
                # MLflow registers its local source twice and then wonders which one is meant.
                warnings.filterwarnings("ignore", ".*can be interpreted in multiple ways")
                table = from_polars(data, source=self._source, name=self._name, digest=table_digest(data))
            mlflow.log_input(table, context=self._context)

    def load(self) -> pl.DataFrame:
        """Read the stored table."""
        return self._dataset.load()

    def _exists(self) -> bool:
        return bool(self._dataset.exists())

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "context": self._context, "dataset": self._dataset._describe()}


def git_tags() -> dict[str, str]:
    """Commit of the project and whether its tree was dirty; empty outside a checkout or without git.

    A container image has neither: it carries RETRAINING_GIT_COMMIT, `<commit>` or `<commit>-dirty`, from its build.
    """
    if (built_from := os.environ.get("RETRAINING_GIT_COMMIT", "unknown")) != "unknown":
        return {
            "git_commit": built_from.removesuffix("-dirty"),
            "git_dirty": str(built_from.endswith("-dirty")).lower(),
        }
    try:
        commit = _git("rev-parse", "HEAD")
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError) as error:
        log.info("No git state to record: %s", error)
        return {}
    return {"git_commit": commit, "git_dirty": str(dirty).lower()}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(project_path()), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
