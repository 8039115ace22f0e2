"""Typed parameters of the pipelines: what `conf/base/parameters_*.yml` may say, checked before work starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from retraining.structural.config import InferenceConfig, ModelConfig

SeriesArtifact = Literal["model_graph", "forecast_plot", "series_table", "posterior", "model"]


class ParameterError(ValueError):
    """A parameter is unknown, of the wrong type or has an impossible value."""


class Parameters(BaseModel):
    """Base of all parameter models: immutable, and no key passes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _written_as_a_date(value: object) -> object:
    if not isinstance(value, str | date | None):
        raise ValueError("write it as YYYY-MM-01")
    return value


def _first_of_a_month(value: date) -> date:
    if value.day != 1:
        raise ValueError(f"{value} is not the first day of a month; write {value:%Y-%m}-01")
    return value


#: A month, by its first day.
FirstOfMonth = Annotated[date, BeforeValidator(_written_as_a_date), AfterValidator(_first_of_a_month)]


class Contract(Parameters):
    """What the tidy table must satisfy. Temperatures in °C."""

    value_range: tuple[float, float] = (-30.0, 50.0)
    min_months: Annotated[int, Field(strict=True, ge=24)] = 120
    on_bad_series: Literal["fail", "quarantine"] = "quarantine"
    min_series: Annotated[int, Field(strict=True, ge=1)] = 1

    @field_validator("value_range")
    @classmethod
    def _range_is_ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("write it as [lowest, highest]")
        return value


class Monitoring(Parameters):
    """When a series is called degraded or stale.

    Attributes:
        months: how far back the forecasts of earlier champions count.
        min_months: fewer observed months than this are no basis for a judgement.
        coverage_80: band of the share of those months inside the 80 % interval.
        max_crps_ratio: realised CRPS over the CRPS that the forecasts themselves had led to expect.
        max_age_months: a newest observation older than this before the cutoff is stale input.
    """

    months: Annotated[int, Field(strict=True, ge=1, le=120)] = 12
    min_months: Annotated[int, Field(strict=True, ge=1)] = 6
    coverage_80: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] = (0.5, 1.0)
    max_crps_ratio: Annotated[float, Field(gt=1)] = 1.6
    max_age_months: Annotated[int, Field(strict=True, ge=1)] = 6

    @field_validator("coverage_80")
    @classmethod
    def _band_is_ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("write it as [lowest, highest]")
        return value


#: A registered model's champion (`name`), one version of it (`name/7`) or what another alias names (`name@alias`).
REFERENCE = r"^[\w.-]+(/[1-9]\d*|@[\w.-]+)?$"

#: Reference of a rule that compares with the version that is served now.
CHAMPION = "champion"


class Rule(Parameters):
    """One condition of promotion.

    Attributes:
        metric: name of the challenger's score.
        direction: which side is better.
        reference: a number, the name of another score of the challenger (a naive model's), or "champion".
        tolerance: share of the reference by which the score may be worse.
        min_shared: where the reference is "champion": cases that both must have forecast for the rule to apply.
    """

    metric: str
    direction: Literal["lower", "higher"]
    reference: float | str
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    min_shared: Annotated[int, Field(strict=True, ge=0)] = 0

    @field_validator("reference", mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def bound(self, reference: float) -> float:
        """The worst score that passes."""
        slack = self.tolerance * abs(reference)
        return reference + slack if self.direction == "lower" else reference - slack

    def text(self) -> str:
        """The rule in words."""
        side = "at most" if self.direction == "lower" else "at least"
        slack = f" {'+' if self.direction == 'lower' else '-'} {100 * self.tolerance:g} %" if self.tolerance else ""
        reference = f"{self.reference:g}" if isinstance(self.reference, float) else self.reference
        return f"{self.metric} {side} {reference}{slack}"


class Promotion(Parameters):
    """When a new version of the pipeline's registered model becomes champion.

    Attributes:
        mode: "auto" promotes what meets the rules, "approve" asks a person then, "never" leaves the champion.
    """

    mode: Literal["auto", "approve", "never"] = "auto"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


def _rules(*rules: tuple[str, Literal["lower", "higher"], float | str, float]) -> tuple[Rule, ...]:
    return tuple(Rule(metric=m, direction=d, reference=r, tolerance=t) for m, d, r, t in rules)


#: What a version of the fleet model must show; conf says why.
CLIMATE_RULES = (
    *_rules(
        ("gate_share", "higher", 0.99, 0.0),
        ("crps", "lower", "crps_climatology_trend", 0.02),
        ("crps", "lower", "crps_seasonal_naive", 0.0),
        ("coverage_80", "higher", 0.65, 0.0),
        ("coverage_80", "lower", 0.95, 0.0),
    ),
    Rule(metric="crps", direction="lower", reference=CHAMPION, tolerance=0.02, min_shared=6),
)


class ClimateBrazil(Parameters):
    """Parameters of the pipeline `climate_brazil`.

    Numbers are strict: nodes receive the values as they are written, so that "12" must not pass for 12.
    """

    series: tuple[str, ...] = ()
    cutoff: FirstOfMonth | None = None
    stations: str | None = None
    source: str | None = None
    history_start: FirstOfMonth | None = date(1961, 1, 1)
    testing_window: Annotated[int, Field(strict=True, ge=1, le=120)] = 12
    n_ahead: Annotated[int, Field(strict=True, ge=1, le=600)] = 12
    forecast_with: Annotated[str, Field(pattern=REFERENCE)] = "climate-brazil"
    seed: Annotated[int, Field(strict=True, ge=0)] = 20191001
    min_years_own_slope: Annotated[int, Field(strict=True, ge=0, le=1000)] = 100
    audit_series: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    series_per_task: Annotated[int, Field(strict=True, ge=1)] = 3
    contract: Contract = Contract()
    model: ModelConfig = ModelConfig()
    inference: InferenceConfig = InferenceConfig()
    monitoring: Monitoring = Monitoring()
    promotion: Promotion = Promotion(rules=CLIMATE_RULES)
    log_artifacts: StrictBool = True
    series_artifacts: tuple[SeriesArtifact, ...] = get_args(SeriesArtifact)
    tags: dict[str, str] = {}

    @field_validator("series", mode="before")
    @classmethod
    def _split_a_comma_list(cls, value: object) -> object:
        # `kedro run --params climate_brazil.series=belem` hands over a plain string.
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("source")
    @classmethod
    def _pattern_names_the_file(cls, value: str | None) -> str | None:
        if value is not None and "{file}" not in value:
            raise ValueError("a source is a URL pattern that contains {file}")
        return value


#: Parameter block of each pipeline, by the key under which it stands in the parameters. A package under `pipelines/`
#: may declare its own: a module `parameters.py` with the class as `PARAMETERS`.
BLOCKS: dict[str, type[Parameters]] = {"climate_brazil": ClimateBrazil}
#: What a task hands over beside the parameters proper: its pipeline, whose data it reads, its share of the work, and
#: who approved a promotion.
RUNTIME = ("pipeline", "run_key", "shard", "approval")


def check_parameters(parameters: Mapping[str, object], read: Callable[[], Collection[str]] = tuple) -> None:
    """Check all parameters of a run.

    Args:
        parameters: as Kedro's configuration loader gives them.
        read: the top-level keys that some pipeline reads; asked only where a key has no model of its own.

    Raises:
        ParameterError: naming each key at fault, its value, and what is allowed.
    """
    problems = []
    use_mlflow = parameters.get("use_mlflow", True)
    if not isinstance(use_mlflow, bool):
        problems.append(f"use_mlflow = {use_mlflow!r}: neither true nor false")
    models = dict(BLOCKS)
    others = []
    for name in sorted(parameters.keys() - {"use_mlflow", *RUNTIME, *BLOCKS}):
        if model := _declared(name):
            models[name] = model
        else:
            others.append(name)
    known = read() if others else ()
    for name in others:
        if name not in known:
            allowed = ", ".join(dict.fromkeys(["use_mlflow", *models, *sorted(known)]))
            problems.append(f"{name}: unknown key; allowed here: {allowed} (no pipeline reads params:{name})")
    for name, model in models.items():
        try:
            model.model_validate(parameters.get(name, {}))
        except ValidationError as error:
            problems += [_problem(name, model, detail) for detail in error.errors()]
    if problems:
        raise ParameterError("Parameters that cannot be used:\n" + "\n".join(f"  {p}" for p in problems))


def _declared(block: str) -> type[Parameters] | None:
    """The model that the package `pipelines/<block>` declares for its parameters, None where it declares none."""
    module = f"retraining.pipelines.{block}"
    if not block.isidentifier() or find_spec(module) is None or find_spec(f"{module}.parameters") is None:
        return None
    return import_module(f"{module}.parameters").PARAMETERS


def _problem(block: str, model: type[BaseModel], detail: ErrorDetails) -> str:
    key = ".".join([block, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        allowed = model
        for part in detail["loc"][:-1]:
            # A number is a place in a list; the model of its items is what the field holds.
            allowed = allowed if isinstance(part, int) else _model_of(allowed.model_fields[part].annotation)
        return f"{key}: unknown key; allowed here: {', '.join(sorted(allowed.model_fields))}"
    return f"{key} = {detail['input']!r}: {detail['msg'].removeprefix('Value error, ')}"


def _model_of(annotation: Any) -> type[BaseModel]:
    """The model that a field holds, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_of(part) for part in get_args(annotation) if part is not ...)
