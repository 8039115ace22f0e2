"""A hook in a hosted project's process: whatever its nodes log ends up on the parent run, and `track` is carried out.

The process holds one task, so that nothing leaks into another. Inside it a node may end the run, choose another
experiment or leave a nested run open: before the next node all is as it was.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
from kedro.framework.hooks import hook_impl
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.artifacts import log_artifact
from tracked_kedro.guest.catalog import is_parameter
from tracked_kedro.guest.handover import base
from tracked_kedro.guest.inputs import input_files
from tracked_kedro.guest.metrics import numbers
from tracked_kedro.guest.model import store_model
from tracked_kedro.guest.request import INPUTS, Request
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import ERROR_TAGS

log = logging.getLogger(__name__)

_TAG_LENGTH = 4000
# Tags of the run: the metrics that a dataset has logged.
_NAMES_TAG = "metrics_of."
_NOT_IN_A_NAME = re.compile(r"[^\w\-.: /]")


class Tracking:
    """Keeps the parent run the active one, logs parameters node by node, and what `track` names.

    Args:
        request: of this process.
        log_parameters: not where the project has kedro-mlflow do it, as its mlflow.yml says.
    """

    def __init__(self, request: Request, log_parameters: bool) -> None:
        assert request.run_id is not None
        self._request, self._run_id, self._log_parameters = request, request.run_id, log_parameters
        self._address = mlflow.get_tracking_uri()
        self._whose = ", ".join(sorted(request.nodes))[:_TAG_LENGTH]
        self._inputs: dict[str, Any] = {}
        self._read: set[str] = set()
        try:
            run = MlflowClient().get_run(self._run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise _gone(self._run_id) from error
            raise
        if run.info.lifecycle_stage == "deleted":
            raise _gone(self._run_id)
        self._experiment, self._known = run.info.experiment_id, dict(run.data.params)
        self._failed_before = run.data.tags.get("error_in") == self._whose
        _leave_open(self._run_id)
        self._resume()

    @hook_impl
    def before_node_run(self, node: Any, catalog: Any, inputs: Mapping[str, Any]) -> None:
        """Make the parent the active run again, and log the node's parameters in one request."""
        self._resume()
        self._catalog, self._inputs = catalog, dict(inputs)
        if self._log_parameters:
            self._log({name: value for name, value in inputs.items() if name.startswith("param")})
        self._log_inputs(catalog, inputs)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log what `track` names."""
        track = self._request.track
        if not any(dataset_name in (track.get(key) or ()) for key in ("metrics", "artifacts")) and (
            dataset_name != (track.get("model") or {}).get("dataset")
        ):
            return
        self._resume()
        if dataset_name in (track.get("metrics") or ()):
            self._log_metrics(dataset_name, numbers(dataset_name, data))
        if dataset_name in (track.get("artifacts") or ()):
            log_artifact(dataset_name, self._catalog.get(dataset_name), data)
        if dataset_name == (track.get("model") or {}).get("dataset"):
            store_model(data, track["model"], self._inputs, self._request.data)

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Keep the reason, unless another task has failed before: what comes later is its consequence."""
        reason = {"error_type": type(error).__name__, "error_message": without_secrets(str(error))[:_TAG_LENGTH]}
        reason["error_in"] = self._whose
        try:
            before = MlflowClient().get_run(self._run_id).data.tags.get("error_in", self._whose)
            if before == self._whose:
                for key, value in reason.items():
                    MlflowClient().set_tag(self._run_id, key, value)
        except Exception:
            log.warning("Run %s could not be told why it failed", self._run_id, exc_info=True)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Forget a failure that this try has mended."""
        self._resume()
        for key in ERROR_TAGS if self._failed_before else ():
            MlflowClient().delete_tag(self._run_id, key)

    def _resume(self) -> None:
        """The parent as the one active run, at the address and in the experiment of this task."""
        if mlflow.get_tracking_uri() != self._address:
            log.warning("A node has set another tracking server; it is %s again", without_secrets(self._address))
            mlflow.set_tracking_uri(self._address)
        # Runs that a node has nested and left open.
        while (active := mlflow.active_run()) is not None and active.info.run_id != self._run_id:
            mlflow.end_run()
        if os.environ.get("MLFLOW_EXPERIMENT_ID") != self._experiment:
            # What a node has chosen wins over the variable, until it is chosen anew.
            mlflow.set_experiment(experiment_id=self._experiment)
            os.environ["MLFLOW_EXPERIMENT_ID"] = self._experiment
        if active is None:
            mlflow.start_run(run_id=self._run_id)
        # What `_leave_open` has left there would have the next nested run become this one.
        os.environ.pop("MLFLOW_RUN_ID", None)

    def _log_metrics(self, dataset: str, found: Mapping[str, float]) -> None:
        """Log numbers, unless another dataset of `track.metrics` has one of their names, maybe of another task."""
        others = [name for name in self._request.track["metrics"] if name != dataset]
        tags = MlflowClient().get_run(self._run_id).data.tags if others else {}
        for other in others:
            if shared := sorted(found.keys() & set(json.loads(tags.get(f"{_NAMES_TAG}{other}", "[]")))):
                raise PermanentError(
                    f"track.metrics: {dataset} and {other} both hold {', '.join(shared[:5])}, so that one would "
                    "overwrite the other; name one of the two under track.artifacts instead, or let its node give "
                    "other names"
                )
        if others and len(names := json.dumps(sorted(found))) <= _TAG_LENGTH:
            mlflow.set_tag(f"{_NAMES_TAG}{dataset}", names)
        mlflow.log_metrics(dict(found))

    def _log_inputs(self, catalog: Any, inputs: Mapping[str, Any]) -> None:
        """What the node reads of the project's own files, by content."""
        from kedro.framework.project import pipelines

        made = {base(name) for name in pipelines[self._request.pipeline].all_outputs()}
        for name in sorted(name for name in inputs if name not in self._read and base(name) not in made):
            self._read.add(name)
            if not is_parameter(name) and (files := input_files(Path(self._request.project), catalog.get(name))):
                mlflow.log_dict(files, f"{INPUTS}/{_NOT_IN_A_NAME.sub('_', name).replace(':', '.')}.json")

    def _log(self, inputs: Mapping[str, Any]) -> None:
        new: dict[str, str] = {}
        for name, value in _flat(inputs):
            key = _NOT_IN_A_NAME.sub("_", name)[:250]
            written = str(value)[:MAX_PARAM_VAL_LENGTH]
            known = self._known.get(key)
            if known is None:
                new[key] = written
            elif known != written:
                # MLflow's parameters are write-once.
                log.warning("Parameter %s was %s when the run began and is %s now", key, known, written)
                mlflow.set_tag(f"changed_parameter.{key}"[:250], written[:_TAG_LENGTH])
            self._known[key] = written
        if new:
            mlflow.log_params(new)


def _flat(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in inputs.items():
        if name == "parameters":
            yield from _leaves("", value)
        elif name.startswith("params:"):
            yield from _leaves(name.removeprefix("params:"), value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "model_dump"):  # what Kedro has made a model of
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _leave_open(run_id: str) -> None:
    """From now on this process never ends the parent: neither a node, nor a library, nor MLflow's own exit hook."""
    ended = MlflowClient.set_terminated

    def set_terminated(self: MlflowClient, run: str, *arguments: Any, **options: Any) -> None:
        if run == run_id:
            # A call of MLflow in the same node finds the run again, instead of making one.
            os.environ["MLFLOW_RUN_ID"] = run_id
        else:
            ended(self, run, *arguments, **options)

    MlflowClient.set_terminated = set_terminated  # type: ignore[method-assign,assignment]


def _gone(run_id: str) -> PermanentError:
    return PermanentError(f"The parent run {run_id} was deleted in MLflow: restore it there, or clear open_run")
