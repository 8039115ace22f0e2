"""A part of a pipeline is refused before it begins where what it starts from has not been made yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractDataset, DataCatalog
from kedro.pipeline import Pipeline

from tracked_kedro.kedro_side.discovery import SEPARATOR
from tracked_kedro.kedro_side.running_project import is_asked_for
from tracked_kedro.names import RUN_KEY

_SHOWN = 4


class MissingInputError(ValueError):
    """What a part of a pipeline starts from is not there; the message names it, and what makes it."""


class MissingInputsHook:
    """Looks, before an MLflow run is opened, whether each stored input of a `kedro run` exists.

    A task of a DAG is not asked: it comes after those that make its inputs, and each look would cost it a request.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Look.

        Raises:
            MissingInputError: something is missing.
        """
        if not is_asked_for() or RUN_KEY in (run_params.get("runtime_params") or {}):
            return
        made = {name for other in pipelines.values() for name in other.all_outputs()}
        for name in pipeline.inputs():
            # A dataset that knows better than a file says so itself: a registered version that is not there.
            if check := getattr(catalog.get(name), "check", None):
                check()
        missing = sorted(name for name in pipeline.inputs() & made if _is_missing(name, catalog))
        if missing:
            raise MissingInputError(_message(missing, dict(pipelines), run_params.get("pipeline_names") or []))


def _is_missing(name: str, catalog: DataCatalog) -> bool:
    """Whether a dataset can tell that it is not there; one that cannot tell is believed."""
    dataset = catalog.get(name)
    tells = dataset is not None and type(dataset)._exists is not AbstractDataset._exists
    return tells and not catalog.exists(name)


def _message(missing: Collection[str], known: Mapping[str, Pipeline], asked: Collection[str]) -> str:
    words = ", ".join(list(missing)[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    what = ", ".join(asked) or "this run"
    maker = _maker(missing, known, asked)
    how = f"run first: kedro run --pipelines {maker}" if maker else "run what makes them first"
    return f"{what} starts from {words}, not made yet under the key of `kedro run`; {how}"


def _maker(missing: Collection[str], known: Mapping[str, Pipeline], asked: Collection[str]) -> str | None:
    """The smallest pipeline that makes all that is missing, itself starting from nothing of it."""
    makes = [
        name
        for name, pipeline in known.items()
        if name not in asked and name != "__default__" and set(missing) <= pipeline.all_outputs()
    ]
    if not makes and len(asked) == 0:
        return None
    # A part before its whole pipeline: it has fewer nodes.
    whole = {name.split(SEPARATOR)[0] for name in asked} & known.keys()
    return min(makes, key=lambda name: len(known[name].nodes), default=next(iter(whole), None))


#: What the entry point of this package registers (`kedro.hooks`).
MISSING_INPUTS_HOOK = MissingInputsHook()
