"""Parameters of the pipeline climate_brazil: what its `parameters.yml` may say, checked before work starts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import Field, StrictBool, field_validator

from retraining.pipelines.climate_brazil.structural.config import InferenceConfig, ModelConfig
from tracked_kedro.kedro_side.parameters import FirstOfMonth, Parameters
from tracked_kedro.promotion.rules import CHAMPION, REFERENCE, Promotion, Rule

SeriesArtifact = Literal["model_graph", "forecast_plot", "series_table", "posterior", "model"]


class Flags(Parameters):
    """Which observations are doubtful, and what becomes of them. Temperatures in °C.

    Attributes:
        action: "warn" trains on them, "missing" takes them for missing months (not a level jump, which says nothing of
            one month), "quarantine" sets their series aside.
        deviations: robust standard deviations (1.4826 MAD) from the median of a calendar month that are impossible.
        floor: the least that counts as a standard deviation.
        min_years: years below which a calendar month's bounds come from the group of the series, or from the fleet.
        equal_values: as many equal values one after the other are no observations.
        jump: the least difference between the medians of two years before and after a month that is a jump.
    """

    action: Literal["warn", "missing", "quarantine"] = "warn"
    deviations: Annotated[float, Field(gt=0)] = 6.0
    floor: Annotated[float, Field(gt=0)] = 0.5
    min_years: Annotated[int, Field(strict=True, ge=3)] = 10
    equal_values: Annotated[int, Field(strict=True, ge=2)] = 5
    jump: Annotated[float, Field(gt=0)] = 2.0


class FleetSettings(Parameters):
    """What the series teach each other.

    Attributes:
        prior: auto uses it where it wins on the fleet's own past, on and off decide. YAML reads a plain `on` as true.
        donors: of more series a seeded sample of so many teaches.
        recent_years: second window of the forecasts of series that borrow; None: never.
    """

    prior: Literal["auto", "on", "off"] = "auto"
    donors: Annotated[int, Field(strict=True, ge=6)] = 500
    recent_years: Annotated[int, Field(strict=True, ge=3, le=100)] | None = 10

    @field_validator("prior", mode="before")
    @classmethod
    def _a_switch_is_a_word(cls, value: object) -> object:
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class Contract(Parameters):
    """What the tidy table must satisfy. Temperatures in °C.

    Attributes:
        min_months: observed months from which a series gets a model of its own; fewer make it short.
        on_short_series: "borrow" forecasts it by the climatology of its group and flags it, "refuse" takes it for bad.
    """

    value_range: tuple[float, float] = (-30.0, 50.0)
    min_months: Annotated[int, Field(strict=True, ge=24)] = 24
    on_short_series: Literal["borrow", "refuse"] = "borrow"
    on_bad_series: Literal["fail", "quarantine"] = "quarantine"
    min_series: Annotated[int, Field(strict=True, ge=1)] = 1
    flags: Flags = Flags()

    @property
    def least_months(self) -> int:
        """Observed months below which a series breaks the contract."""
        return self.min_months if self.on_short_series == "refuse" else 1

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
    *_rules(("flagged_share", "lower", 0.005, 0.0)),
    Rule(metric="flagged_share", direction="lower", reference=CHAMPION, min_shared=1),
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
    series_per_task: Annotated[int, Field(strict=True, ge=1)] | None = None
    contract: Contract = Contract()
    model: ModelConfig = ModelConfig()
    fleet: FleetSettings = FleetSettings()
    inference: InferenceConfig = InferenceConfig()
    monitoring: Monitoring = Monitoring()
    promotion: Promotion = Promotion(rules=CLIMATE_RULES)
    log_artifacts: StrictBool = True
    series_artifacts: tuple[SeriesArtifact, ...] = get_args(SeriesArtifact)
    tags: dict[str, str] = Field(default_factory=dict)

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


#: What the library checks the block of this pipeline with.
PARAMETERS = ClimateBrazil
