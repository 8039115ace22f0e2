"""The monthly audit: whose turn it is, and that NUTS is really asked."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from retraining.pipelines.climate_brazil import audit_nodes
from retraining.pipelines.climate_brazil.audit_nodes import audit_posteriors, audited_series
from retraining.pipelines.climate_brazil.series.isolation import SeriesFailedError
from retraining.pipelines.climate_brazil.structural import GroupClimate, Series, borrow, fit

IDS = ["a", "b", "c", "d", "e"]


def test_all_series_come_round_in_as_many_months_as_there_are() -> None:
    months = [f"{2018 + month // 12}-{month % 12 + 1:02d}-01" for month in range(5)]
    turns = [audited_series(IDS, 1, month) for month in months]
    assert sorted(name for [name] in turns) == IDS


def test_two_a_month_follow_each_other() -> None:
    first, second = audited_series(IDS, 2, "2019-01-01"), audited_series(IDS, 2, "2019-02-01")
    assert len(set(first + second)) == 4


def test_no_more_than_there_are() -> None:
    assert sorted(audited_series(IDS, 9, "2019-01-01")) == IDS


def test_nothing_is_sampled_when_none_is_wanted() -> None:
    assert audit_posteriors({}, IDS, {"cutoff": "2019-01-01"}, 0, 1) == ({}, {})


def test_series_without_posterior_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert audit_posteriors({}, ["a"], {"cutoff": "2019-01-01"}, 1, 1) == ({}, {})
    assert "a is not audited" in caplog.text


def test_a_series_that_borrows_its_groups_climatology_has_nothing_to_audit() -> None:
    lender = Series("old", np.datetime64("2010-01"), np.random.default_rng(0).normal(20, 1, 60))
    climate = GroupClimate.of([lender])
    assert climate is not None
    new = borrow(Series("new", np.datetime64("2014-01"), np.full(5, 20.0)), climate)
    assert audit_posteriors({"new": lambda: new}, ["new"], {"cutoff": "2015-01-01"}, 1, 1) == ({}, {})


def test_a_series_that_cannot_be_audited_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OSError("the file is gone")

    class Sound:
        series = Series("b", np.datetime64("2010-01"), np.zeros(24))

    monkeypatch.setattr(audit_nodes, "audit", lambda *_, **__: {"z_level": 1.0, "shift_forecast": 0.1})
    posteriors = {"a": gone, "b": Sound}
    found, metrics = audit_posteriors(posteriors, ["a", "b"], {"cutoff": "2015-01-01"}, 2, 1)
    assert (list(found), metrics["n_series"]["value"]) == (["b"], 1)
    with pytest.raises(SeriesFailedError, match=r"a \(audit: OSError: the file is gone\)"):
        audit_posteriors({"a": gone}, ["a"], {"cutoff": "2015-01-01"}, 1, 1)


@pytest.mark.slow
@pytest.mark.full
def test_fast_posterior_passes_its_audit() -> None:
    months = np.arange(60)
    values = 25 + 2 * np.sin(2 * np.pi * months / 12) + np.random.default_rng(0).normal(0, 0.5, months.size)
    posterior = fit(Series("a", np.datetime64("2010-01"), values), seed=1)
    found, metrics = audit_posteriors({"a": lambda: posterior}, ["a"], {"cutoff": "2015-01-01"}, 1, 1)
    assert found["a"]["nuts_ess"] > 30
    assert metrics["max_abs_z"]["value"] < 5
    assert metrics["max_forecast_shift"]["value"] < 0.2
    assert metrics["n_series"]["value"] == 1
