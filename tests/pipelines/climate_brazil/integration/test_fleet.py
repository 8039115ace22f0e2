"""Three consecutive months of the whole sample through the tasks of a DAG run, then one series alone.

The first month's version is as an older release has made it, without what its fleet has learnt.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import FLEET_FILE, LearntFleet
from retraining.pipelines.climate_brazil.stations.sample import CLIMATES, station_text
from tests.fixtures.templates import EmptyStore
from tests.pipelines.climate_brazil.integration.test_dag_run import RUN_LEVEL, use
from tracked_kedro.kedro_side.sessions import Session, nested
from tracked_kedro.parent_run import runs
from tracked_kedro.promotion.datasets import read_version
from tracked_kedro.promotion.registry import Registry

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

PIPELINE, MODEL = "climate_brazil", "climate-brazil"


@dataclass
class Months:
    """Runs of one deployment, without Airflow around them."""

    var: Path
    stations: Path

    def run(self, cutoff: str, *series: str, old: bool = False, **changed: Any) -> Path:
        """All tasks; the folder of the run's data."""
        client, key = MlflowClient(), f"manual__{cutoff}_{'_'.join(series)}"
        experiment = client.get_experiment_by_name(PIPELINE)
        artifacts = (self.var / "mlflow" / "artifacts").as_uri()
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(PIPELINE, artifacts)
        parent = runs.open_parent(experiment_id, PIPELINE, key, f"{PIPELINE} {cutoff}", {})
        values = {"stations": str(self.stations), "cutoff": cutoff, "series": list(series), "series_artifacts": []}
        parameters = nested({f"{PIPELINE}.{name}": value for name, value in (values | changed).items()})
        session = Session(PIPELINE, {**parameters, "run_key": key})
        runs.in_parent(parent, lambda: session.run(nodes=RUN_LEVEL))
        runs.in_parent(parent, lambda: session.run(namespace="series"))
        runs.in_parent(parent, lambda: session.run(nodes=["monitor", "compare", "report"]))
        folder = self.var / "data" / PIPELINE / key
        if old:
            (folder / "model_files" / FLEET_FILE).unlink()
        if not series:
            runs.in_parent(parent, lambda: session.run(nodes=["register", "decide", "promote"]))
        runs.close_parent(parent)
        return folder


@pytest.fixture
def months(tmp_path: Path, empty_store: EmptyStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Months]:
    empty_store(tmp_path / "var")
    (tmp_path / "stations").mkdir()
    for series in CLIMATES:
        (tmp_path / "stations" / f"station_{series}.csv").write_text(station_text(series))
    use(tmp_path / "var", monkeypatch)
    yield Months(tmp_path / "var", tmp_path / "stations")
    mlflow.set_tracking_uri(None)


def learnt(folder: Path) -> LearntFleet:
    return LearntFleet.from_json((folder / "fleet.json").read_bytes())


def forecasts(folder: Path, series: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "forecasts" / f"{series}.parquet")


def test_three_months_and_a_series_alone(months: Months) -> None:
    registry = Registry(MODEL, MlflowClient())

    first = months.run("2019-07-01", old=True)
    assert registry.aliases()["champion"] == 1
    assert FLEET_FILE not in read_version(registry.version(1)).names

    second = months.run("2019-08-01")
    third = months.run("2019-09-01")
    for folder in (second, third):
        fleet = learnt(folder)
        assert len(fleet.prior.donors) == len(CLIMATES) and not fleet.from_champion
        assert (fleet.decision.cases, fleet.decision.origins) == (36, 3)
    # Judged as ever: against the champion, on the held-out months that both have forecast.
    for number in (2, 3):
        version = read_version(registry.version(number))
        assert version.evidence.shared["crps"].cases >= 6 and version.evidence.compared_with == number - 1
        assert any("from each other" in remark for remark in version.evidence.remarks)
        assert LearntFleet.from_json(version.file(FLEET_FILE)).decision == learnt((second, third)[number - 2]).decision
    assert registry.aliases()["champion"] == 3, [event.why for event in registry.history()]

    run = MlflowClient().get_run(read_version(registry.version(3)).run_id)
    assert run.data.tags["fleet_prior"].startswith("used: " if learnt(third).decision.used else "not used: ")
    assert run.data.metrics["fleet_donors"] == len(CLIMATES)
    assert run.data.metrics["fleet_crps_with_prior"] == pytest.approx(learnt(third).decision.with_fleet, abs=1e-5)
    report = (third / "report.html").read_text()
    assert "What the series teach each other" in report and learnt(third).decision.reason in html.unescape(report)

    alone = months.run("2019-09-01", "rio")
    assert learnt(alone).from_champion == tuple(sorted(set(CLIMATES) - {"rio"}))
    assert learnt(alone).decision == learnt(third).decision
    assert forecasts(alone, "rio").equals(forecasts(third, "rio"))
    # The past was compared once a month, and never for a series alone.
    assert len(list((months.var / "data" / PIPELINE / "fleet_gates").iterdir())) == 3

    again = months.run("2019-09-01", "rio", **{"fleet.prior": "off"})
    assert not forecasts(again, "rio").equals(forecasts(third, "rio"))
    assert learnt(first).decision.cases == 36
