"""What a block of `airflow.yml` leaves to others: to the defaults of all blocks, and to its pipeline's `PARAMETERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tracked_kedro.kedro_side.discovery import SEPARATOR, parameters_model
from tracked_kedro.kedro_side.plain_values import PLAIN
from tracked_kedro.kedro_side.project_config import bootstrapped, config_loader
from tracked_kedro.names import PROMOTION, PROMOTION_MODE, REGISTERED_MODEL
from tracked_kedro.rendering.form_words import form_words, has_field

#: Keys of a block that are joined with the defaults key by key; of all others a block that says one says all of it.
MERGED = ("params", "kedro_parameters", "make")
#: Stands, in the defaults, for the pipeline of a block.
_ANY_PIPELINE = "{pipeline}"

#: From the name of a pipeline to the model of its parameters.
ModelOf = Callable[[str], type[BaseModel] | None]


def dag_blocks(project: Path) -> dict[str, dict[str, Any]]:
    """The completed blocks of a project, by DAG id."""
    package = bootstrapped(project)
    loader = config_loader(project)
    joined = completed(loader["airflow"], loader["parameters"], models_of(package))
    return {name: block for name, block in joined.items() if isinstance(block, dict)}


def unscheduled(block: Mapping[str, Any]) -> dict[str, Any]:
    """Kedro parameters of a completed block that only a scheduled run has otherwise, as all other runs have them.

    >>> params = {"audit": {"default": 0, "when_scheduled": 1}, "rows": {"default": 3}}
    >>> unscheduled({"params": params, "kedro_parameters": {"audit": "rents.n", "rows": "rents.rows"}})
    {'rents.n': 0}
    """
    return {
        target: block["params"][key].get("default")
        for key, target in block["kedro_parameters"].items()
        if "when_scheduled" in block["params"].get(key, {})
    }


def models_of(package: str) -> ModelOf:
    """The models that the pipelines of a project's package declare."""
    return partial(parameters_model, f"{package}.pipelines")


def completed(airflow: Mapping[str, Any], parameters: Mapping[str, Any], model_of: ModelOf) -> dict[str, Any]:
    """Every block, joined with the defaults; whatever is not written as it must be is left for `blocks` to refuse.

    A DAG parameter takes type, bounds and default from the field that `kedro_parameters` points it to; what the block
    says itself wins. A parameter of the defaults is left out where its pipeline has no such field, and where the block
    says null.

    Args:
        airflow: content of `airflow.yml`.
        parameters: Kedro's, nested.
        model_of: the model of a pipeline's parameters, None where it declares none.

    >>> default = {"params": {"cutoff": {"title": "Cutoff"}}, "kedro_parameters": {"cutoff": "{pipeline}.cutoff"}}
    >>> airflow = {"default": default, "rents": {}, "flats": {}}
    >>> blocks = completed(airflow, {"rents": {"cutoff": None}}, lambda name: None)
    >>> blocks["rents"]["params"], blocks["flats"]["params"]
    ({'cutoff': {'default': None, 'title': 'Cutoff'}}, {})
    """
    default = airflow.get("default") or {}
    return {
        name: _completed(own, default, _pipeline(name, parameters, model_of)) if isinstance(own, Mapping) else own
        for name, own in airflow.items()
        if name != "default"
    }


@dataclass(frozen=True)
class _Pipeline:
    name: str
    model: type[BaseModel] | None
    parameters: Mapping[str, Any]

    def target(self, written: Any) -> Any:
        """A Kedro parameter as the defaults write it, for this pipeline."""
        return written.replace(_ANY_PIPELINE, self.name) if isinstance(written, str) else written

    def has(self, target: Any) -> bool:
        """Whether a Kedro parameter is declared, by the model or in configuration."""
        return has_field(self.model, self._path(target)) or "default" in self._value(target)

    def words(self, target: Any) -> dict[str, Any]:
        """What the model and configuration say about a Kedro parameter."""
        return {**form_words(self.model, self._path(target)), **self._value(target)}

    def _path(self, target: Any) -> list[str]:
        pipeline, *path = str(target).split(SEPARATOR)
        return path if pipeline == self.name else []

    def _value(self, target: Any) -> dict[str, Any]:
        found: Any = self.parameters
        for part in str(target).split(SEPARATOR):
            if not isinstance(found, Mapping) or part not in found:
                return {}
            found = found[part]
        return {"default": found.isoformat() if isinstance(found, date) else found}


def _pipeline(block: str, parameters: Mapping[str, Any], model_of: ModelOf) -> _Pipeline:
    # A part of a pipeline reads the pipeline's parameters.
    name = block.partition(SEPARATOR)[0]
    return _Pipeline(name, model_of(name), parameters)


def _completed(own: Mapping[str, Any], default: Mapping[str, Any], pipeline: _Pipeline) -> dict[str, Any]:
    block = {**default, **own}
    if not all(isinstance(source.get(key, {}), Mapping) for source in (own, default) for key in MERGED):
        return block
    params, targets, make = ((own.get(key, {}), default.get(key, {})) for key in MERGED)

    def applies(key: str) -> bool:
        if key in params[0] or key in targets[0]:
            return params[0].get(key, {}) is not None
        if key == PROMOTION_MODE:
            return bool(block.get(REGISTERED_MODEL) or block.get(PROMOTION))  # the latter of a hosted project
        return key not in targets[1] or pipeline.has(pipeline.target(targets[1][key]))

    block["kedro_parameters"] = {
        key: pipeline.target(target) for key, target in _joined(*targets).items() if key in targets[0] or applies(key)
    }
    block["params"] = {
        key: _spec(params[0].get(key, {}), params[1].get(key, {}), pipeline, block["kedro_parameters"].get(key))
        for key in _joined(*params)
        if applies(key)
    }
    block["make"] = {
        variable: target
        for variable, target in _joined(*make).items()
        if variable in make[0] or target in block["params"]
    }
    return block


def _joined(own: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """A block's own entries, then those of the defaults; null drops one."""
    others = {key: value for key, value in default.items() if key not in own}
    return {key: value for key, value in {**own, **others}.items() if value is not None}


def _spec(own: Any, default: Any, pipeline: _Pipeline, target: str | None) -> Any:
    if not isinstance(own, Mapping) or not isinstance(default, Mapping):
        return own
    words = pipeline.words(target) if target else {}
    if own.get("choices"):
        words.pop("items", None)  # they are what may be chosen
    return _emptied(_plain({**words, **default, **own}))


def _emptied(spec: dict[str, Any]) -> dict[str, Any]:
    """Airflow's form sends null for a list that a person chose and emptied again; tasks leave out what is null."""
    return {**spec, "type": ["null", "array"]} if spec.get("type") == "array" else spec


def _plain(spec: dict[str, Any]) -> dict[str, Any]:
    """Where the form takes any text, Airflow itself refuses what would run or tell a secret, before it stores that."""
    kind = spec.get("type")
    if "string" in ([kind] if isinstance(kind, str) else kind or ()) and not {"enum", "pattern"} & spec.keys():
        return {**spec, "pattern": PLAIN}
    if isinstance(items := spec.get("items"), Mapping):
        return {**spec, "items": _plain(dict(items))}
    return spec
