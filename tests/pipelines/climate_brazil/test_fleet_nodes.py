"""The node `learn_fleet`: what is learnt, from whom, and whether the run makes use of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.fleet import nodes
from retraining.pipelines.climate_brazil.fleet.inputs import FleetData, LearningSettings
from retraining.pipelines.climate_brazil.fleet.learnt_fleet import FLEET_FILE, LearntFleet
from retraining.pipelines.climate_brazil.fleet.nodes import learn_from_fleet
from retraining.pipelines.climate_brazil.parameters import ClimateBrazil, FleetSettings
from retraining.pipelines.climate_brazil.stations.processing import to_series
from retraining.pipelines.climate_brazil.structural import (
    Decision,
    FleetFileError,
    InferenceConfig,
    ModelConfig,
    Series,
    fit,
)
from tests.pipelines.climate_brazil.made_up_fleets import borrowing, unused
from tracked_kedro.promotion.evidence import Evidence, Version

INFERENCE = InferenceConfig(draws=100, points=256, min_ess=64)
NAMES = tuple(f"s{number}" for number in range(7))


def station(name: str, seed: int, months: int = 156) -> pl.DataFrame:
    dates = pl.date_range(date(2000, 1, 1), date(2030, 1, 1), "1mo", eager=True)[:months]
    noise = np.random.default_rng(seed).normal(0, 0.4, months)
    values = 25 + 2 * np.sin(2 * np.pi * np.arange(months) / 12) + 0.004 * np.arange(months) + noise
    return pl.DataFrame({"series": name, "date": dates, "temperature": values})


TABLE = pl.concat([*(station(name, seed) for seed, name in enumerate(NAMES)), station("young", 90, 40)])


def learn(
    table: pl.DataFrame = TABLE,
    champion: Version | None = None,
    gates: dict[str, Callable[[], Any]] | None = None,
    simulated: bool = False,
    entries: dict[str, dict[str, str]] | None = None,
    **changed: Any,
) -> tuple[LearntFleet, dict[str, str], dict[str, dict[str, Any]]]:
    prior = {name: changed.pop(name) for name in ("prior", "donors", "recent_years") if name in changed}
    options: dict[str, Any] = {"series": (), "model": ModelConfig(), "inference": INFERENCE, "seed": 1}
    options |= {"fleet": FleetSettings(**prior), "min_years_own_slope": 100} | changed
    data = FleetData(table.lazy(), entries or {}, {"simulated": simulated}, champion, gates or {})
    return learn_from_fleet(data, LearningSettings(**options))


def version(fleet: LearntFleet | bytes | None, simulated: bool = False) -> Version:
    """A champion whose fleet has learnt this; None: of the time before fleets learnt."""
    content = fleet.to_json() if isinstance(fleet, LearntFleet) else fleet
    files = {} if content is None else {FLEET_FILE: content}
    evidence = Evidence(metrics={}, simulated=simulated)
    return Version("climate-brazil", 3, "run", evidence, files.__getitem__, frozenset(files))


@pytest.fixture(scope="module")
def full() -> LearntFleet:
    return learn(prior="on")[0]


def history(name: str) -> Series:
    return to_series(TABLE, name)


def test_series_of_six_years_teach_and_all_can_be_read_again(full):
    assert [one.series for one in full.prior.donors] == list(NAMES) == list(full.fits)
    assert full.decision == Decision(True, "fleet.prior: on") and full.from_champion == ()
    assert LearntFleet.from_json(full.to_json()) == full
    assert full.model_for(history("young"), ModelConfig(), 100).recent_years == 10
    with pytest.raises(FleetFileError, match="learn it again"):
        LearntFleet.from_json(b'{"format": 2}')


def test_of_many_a_seeded_sample_teaches():
    some = learn(prior="on", donors=6)[0]
    assert len(some.prior.donors) == 6 and some.prior == learn(TABLE.reverse(), prior="on", donors=6)[0].prior
    assert some.prior != learn(prior="on", donors=6, seed=2)[0].prior


def test_a_lone_series_forecasts_as_in_the_run_of_all_of_them(full):
    """The champion lends the donors that are missing, whichever they are."""
    alone = learn(TABLE.filter(pl.col("series") == "s2"), version(full), prior="on", series=("s2",))[0]
    assert alone.from_champion == tuple(name for name in NAMES if name != "s2")
    own, other = (one.model_for(history("s2"), ModelConfig(), 100) for one in (full, alone))
    assert own == other and own.shape_prior is not None
    together, lone = (
        fit(history("s2"), own, INFERENCE, seed=1, start=one.start("s2")).forecast(12) for one in (full, alone)
    )
    np.testing.assert_array_equal(together.quantile([0.1, 0.5, 0.9]), lone.quantile([0.1, 0.5, 0.9]))
    one_is_missing = learn(TABLE.filter(pl.col("series") != "s0"), version(full), prior="on")[0]
    assert one_is_missing.prior == full.prior and one_is_missing.from_champion == ("s0",)
    assert one_is_missing.slopes == full.slopes


def test_a_short_series_borrows_from_its_group_also_where_few_are_asked_for(full):
    entries = {name: {"group": "coast"} for name in NAMES[:2]} | {"young": {"group": "hills"}}
    together = learn(prior="off", entries=entries)[0]
    assert {group: one.lenders for group, one in together.climates.items()} == {"": 8, "coast": 2, "hills": 1}
    few = {"table": TABLE.filter(pl.col("series").is_in(["s0", "young"])), "series": ("s0", "young")}
    assert learn(champion=version(together), prior="off", entries=entries, **few)[0].climates == together.climates
    missing = TABLE.filter(pl.col("series") != "young")
    assert learn(missing, version(together), prior="off", entries=entries)[0].climates["hills"].lenders == 1


def test_a_lone_series_takes_the_champions_decision(full):
    only = {"table": TABLE.filter(pl.col("series") == "s2"), "series": ("s2",)}
    for used in (True, False):
        decided = full.model_copy(update={"decision": Decision(used, "compared", 0.27, 0.28, 36, 3)})
        fleet, _, new = learn(champion=version(decided), **only)
        assert fleet.decision == decided.decision and not new


@pytest.mark.parametrize(
    ("champion", "changed"),
    [
        (None, {}),
        ("old", {}),
        ("simulated", {}),
        ("another model", {"model": ModelConfig(kernel="matern12")}),
        ("unreadable", {}),
    ],
    ids=["none", "of the time before", "simulated", "another model", "unreadable"],
)
def test_a_champion_that_cannot_lend_lends_nothing(full, champion, changed):
    champions = {
        None: None,
        "old": version(None),
        "simulated": version(full, simulated=True),
        "another model": version(full),
        "unreadable": version(b'{"format": 9}'),
    }
    only = TABLE.filter(pl.col("series") == "s2")
    fleet = learn(only, champions[champion], series=("s2",), **changed)[0]
    assert [one.series for one in fleet.prior.donors] == ["s2"] and not fleet.decision.used
    assert "past origins" in fleet.decision.reason
    assert fleet.model_for(history("s2"), ModelConfig(), 100) == ModelConfig()


def test_the_past_is_compared_once_for_the_same_data_code_and_configuration(monkeypatch):
    calls, two = [], TABLE.filter(pl.col("series").is_in(["s0", "s1"]))
    found = Decision(True, "compared", 0.27, 0.28, 36, 3)
    monkeypatch.setattr(nodes, "decide", lambda *args, **more: calls.append((args, more)) or found)
    fleet, tags, new = learn(two)
    assert fleet.decision == found and tags == {"fleet_prior": "used: compared"} and len(new) == 1
    (args, more) = calls[0]
    assert args[1].recent_years == 10 and more["alone"].recent_years is None
    (key,) = new
    stored = {key: lambda: new[key]}
    assert learn(two, gates=stored)[0].decision == found and not learn(two, gates=stored)[2] and len(calls) == 1
    revised = two.with_columns(pl.col("temperature") + (pl.col("series") == "s1").cast(pl.Float64) / 100)
    for changed in ({"seed": 2}, {"model": ModelConfig(harmonics=5)}, {"recent_years": None}, {"table": revised}):
        assert set(learn(**{"table": two, "gates": stored} | changed)[2]) - {key}
    monkeypatch.setattr(nodes, "code_version", lambda package: "other")
    assert len(learn(two, gates=stored)[2]) == 1 and len(calls) == 6


def test_off_learns_nothing_but_slopes():
    fleet, tags, new = learn(pl.concat([TABLE, station("old", 5, 240)]), prior="off")
    assert (fleet.prior.donors, fleet.fits, new) == ((), {}, {})
    assert tags == {"fleet_prior": "not used: fleet.prior: off"}
    assert fleet.slopes == {"old": pytest.approx(0.48, abs=0.1)}
    assert learn(prior="off", min_years_own_slope=0)[0].slopes == {}


def test_one_series_that_teaches_nothing_stops_no_other():
    broken = TABLE.with_columns(
        temperature=pl.when(pl.col("series") == "s1").then(np.inf).when(pl.col("series") == "s2").then(25.0)
        .otherwise("temperature")
    )  # fmt: skip
    fleet = learn(broken, prior="on")[0]
    assert [one.series for one in fleet.prior.donors] == [name for name in NAMES if name not in ("s1", "s2")]


def test_where_too_few_teach_the_slopes_stand_in():
    few = learn(TABLE.filter(pl.col("series").is_in(["s0", "s1"])), prior="on")[0]
    slopes = few.model_copy(update={"slopes": {f"other_{i}": i / 10 for i in range(5)}})
    assert slopes.model_for(history("s0"), ModelConfig(), 100).pooled_slope_mean == pytest.approx(0.2)


@pytest.mark.parametrize(("written", "meant"), [(True, "on"), (False, "off"), ("on", "on"), ("auto", "auto")])
def test_a_switch_that_yaml_has_read_as_a_boolean_is_understood(written, meant):
    assert ClimateBrazil.model_validate({"fleet": {"prior": written}}).fleet.prior == meant


def test_what_it_costs_and_gains_are_numbers_of_the_run():
    assert borrowing().facts() == {
        "fleet_donors": 6.0,
        "fleet_prior_used": 1.0,
        "fleet_crps_with_prior": 0.274,
        "fleet_crps_without_prior": 0.284,
        "fleet_gate_origins": 3.0,
        "fleet_gate_cases": 36.0,
    }
    assert unused().facts() == {"fleet_donors": 0.0, "fleet_prior_used": 0.0}
