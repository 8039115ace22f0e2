"""What becomes of challengers made from a really trained fleet, by the nodes and the datasets that a DAG run uses.

Two series are trained once. Their stored held-out forecasts, made worse or better, are then the challengers' own.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil.champion.nodes import FORECASTS, POSTERIORS
from retraining.pipelines.climate_brazil.parameters import CLIMATE_RULES, Monitoring
from retraining.pipelines.climate_brazil.pipeline import create_pipeline
from retraining.pipelines.climate_brazil.series.tables import QUANTILES
from retraining.pipelines.climate_brazil.stations import doubtful
from retraining.pipelines.climate_brazil.stations.sample import station_text
from retraining.pipelines.climate_brazil.structural import (
    Fleet,
    InferenceConfig,
    ModelConfig,
    Posterior,
    load_posterior,
    to_netcdf,
)
from tests.fixtures.templates import EmptyStore
from tests.pipelines.climate_brazil.integration.test_dag_run import Retraining, use
from tests.pipelines.climate_brazil.made_up_fleets import unused
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.kedro_side.digest import table_digest
from tracked_kedro.kedro_side.partitions import OptionalPartitionedDataset
from tracked_kedro.kedro_side.whole_files import BytesDataset
from tracked_kedro.promotion.challenger import MlflowChallengerDataset
from tracked_kedro.promotion.datasets import (
    MlflowChampionDataset,
    MlflowChampionsDataset,
    MlflowPromotionDataset,
    read_version,
)
from tracked_kedro.promotion.evidence import Version
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.promotion.training_inputs import TrainingInputs

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

NAME, MODEL = "climate_brazil", "climate-brazil"
LABELS = {"belem": "Belém", "rio": "Rio de Janeiro"}


@dataclass(frozen=True)
class Trained:
    """What the tasks before `compare` have left: scores, forecasts and posteriors by series, and the tables."""

    scores: dict[str, dict[str, Any]]
    forecasts: dict[str, pl.DataFrame]
    posteriors: dict[str, Posterior]
    table: pl.DataFrame
    quarantine: pl.DataFrame
    months: dict[str, str]
    series_ids: list[str] = field(default_factory=lambda: list(LABELS))
    asked_for: tuple[str, ...] = ()
    simulated: bool = True

    def times(self, factor: float) -> Trained:
        """The same fleet, where the CRPS of each held-out forecast is `factor` times what it was.

        Its distance from what was observed, and its spread, are that many times as large: CRPS is homogeneous. An old
        observation is revised a little, for the same data again would teach nothing.
        """
        held_out, observed = pl.col("kind") == "heldout", pl.col("observed")
        moved = {
            name: pl.when(held_out).then(observed + factor * (pl.col(name) - observed)).otherwise(pl.col(name))
            for name in ("mean", *QUANTILES)
        }
        spread = pl.when(held_out).then(factor * pl.col("sd")).otherwise(pl.col("sd"))
        forecasts = {one: table.with_columns(**moved, sd=spread) for one, table in self.forecasts.items()}
        scores = {
            one: {**row, **{name: factor * row[name] for name in ("crps", "mae", "rmse")}}
            for one, row in self.scores.items()
        }
        revised = pl.when(pl.int_range(pl.len()) == 0).then(factor / 1e5).otherwise(0.0)
        table = self.table.with_columns(temperature=pl.col("temperature") + revised)
        return replace(self, forecasts=forecasts, scores=scores, table=table)

    def inputs(self) -> dict[str, Any]:
        """As the node that reads the stations tells them."""
        settings = {"model": str(ModelConfig()), "inference": str(InferenceConfig(min_ess=20))}
        code = code_version(climate_brazil.__name__)
        return TrainingInputs(data_digest=table_digest(self.table), code=code, settings=settings).model_dump()

    def without(self, series: str, reason: str) -> Trained:
        """The same fleet, where a series' file was set aside."""
        row = pl.DataFrame(
            {"series": series, "label": LABELS[series], "file": f"station_{series}.csv", "reason": reason}
        )
        return replace(
            self.only(one for one in LABELS if one != series),
            quarantine=pl.concat([self.quarantine, row.cast(dict(self.quarantine.schema))]),
            table=self.table.filter(pl.col("series") != series),
            series_ids=[one for one in LABELS if one != series],
        )

    def failed(self, series: str, reason: str) -> Trained:
        """The same fleet, where a series could not be trained."""
        left = self.only(one for one in LABELS if one != series)
        row = {"series": series, "label": LABELS[series], "status": "failed", "reason": reason}
        return replace(left, scores={**left.scores, series: row})

    def only(self, series: Iterator[str]) -> Trained:
        kept = set(series)
        tables = {
            name: {one: value for one, value in getattr(self, name).items() if one in kept}
            for name in ("scores", "forecasts", "posteriors")
        }
        return replace(self, **tables)


class Kept(MemoryDataset):
    """Still there when the runner needs it no more."""

    def __init__(self) -> None:
        super().__init__(copy_mode="assign")

    def _release(self) -> None:
        pass


def _lazy(values: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """As partitions are handed to a node."""
    return {key: lambda value=value: value for key, value in values.items()}


@dataclass
class Registering:
    """A registry of its own, and the nodes compare → register → decide → promote on it."""

    folder: Path
    runs: int = 0

    def __post_init__(self) -> None:
        self.registry = Registry("climate-brazil", MlflowClient())
        artifacts = (self.folder / "var" / "mlflow" / "artifacts").as_uri()
        self.experiment = MlflowClient().create_experiment("promotion", artifact_location=artifacts)
        self.nodes = create_pipeline().filter(node_names=["compare", "register", "decide", "promote"])

    def month(self, trained: Trained) -> dict[str, Any]:
        """One run; the decision, and what `compare` has made."""
        self.runs += 1
        entries = {one: {"label": label, "file": f"station_{one}.csv"} for one, label in LABELS.items()}
        given = {
            "climate_series_results": _lazy(trained.scores),
            "climate_series_forecasts": _lazy(trained.forecasts),
            "climate_posteriors": _lazy(trained.posteriors),
            "climate_training_table": trained.table,
            "climate_quarantine": trained.quarantine,
            "climate_series_ids": trained.series_ids,
            "climate_flags": pl.DataFrame(schema=doubtful.SCHEMA),
            "climate_months": trained.months,
            "climate_entries": entries,
            "climate_monitored": {"degraded": {}},
            "climate_child_runs": {},
            "climate_fleet": unused(),
            "climate_stations_origin": {"simulated": trained.simulated, "origin": "somewhere"},
            f"params:{NAME}.series": list(trained.asked_for),
            f"{NAME}_training_inputs": trained.inputs(),
            f"params:{NAME}.inference": InferenceConfig(min_ess=20),
            f"params:{NAME}.monitoring": Monitoring(),
            f"params:{NAME}.promotion": Promotion(rules=CLIMATE_RULES, max_stale_share=0.5),
            f"{NAME}_approval": {},
        }
        made = {name: Kept() for name in self._made_in_memory()}
        catalog = DataCatalog(
            {
                **{name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()},
                **made,
                f"{NAME}_challenger": MlflowChallengerDataset(NAME, MODEL, str(self.folder / f"{self.runs}.json")),
                f"{NAME}_champion": MlflowChampionDataset(MODEL),
                f"{NAME}_model_files": OptionalPartitionedDataset(
                    path=str(self.folder / "model_files"), dataset=BytesDataset, overwrite=True
                ),
                f"{NAME}_promotion": MlflowPromotionDataset(),
            }
        )
        with mlflow.start_run(experiment_id=self.experiment):
            SequentialRunner().run(self.nodes, catalog)
        return {name.removeprefix(f"{NAME}_"): dataset.load() for name, dataset in made.items()}

    def champion(self) -> Version:
        return read_version(self.registry.version("champion"))

    def _made_in_memory(self) -> set[str]:
        own = {f"{NAME}_challenger", f"{NAME}_model_files", f"{NAME}_promotion"}
        return set(self.nodes.all_outputs()) - own


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> Trained:
    """Two simulated stations, trained by the pipeline's own tasks."""
    folder = tmp_path_factory.mktemp("trained")
    empty_store(folder / "var")
    (folder / "stations").mkdir()
    for series in LABELS:
        (folder / "stations" / f"station_{series}.csv").write_text(station_text(series))
    with pytest.MonkeyPatch.context() as patch:
        use(folder / "var", patch)
        Retraining(folder / "stations").run()
        mlflow.set_tracking_uri(None)
    run = folder / "var" / "data" / NAME / "manual__1"
    return Trained(
        {one: json.loads((run / "results" / f"{one}.json").read_text()) for one in LABELS},
        {one: pl.read_parquet(run / "forecasts" / f"{one}.parquet") for one in LABELS},
        {one: load_posterior(io.BytesIO((run / "posteriors" / f"{one}.nc").read_bytes())) for one in LABELS},
        pl.read_parquet(run / "training_table.parquet"),
        pl.read_csv(run / "quarantine.csv"),
        json.loads((run / "months.json").read_text()),
    )


@pytest.fixture
def registering(tmp_path: Path, empty_store: EmptyStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registering]:
    empty_store(tmp_path / "var")
    use(tmp_path / "var", monkeypatch)
    yield Registering(tmp_path)
    mlflow.set_tracking_uri(None)


@pytest.mark.parametrize("months", [2, pytest.param(20, marks=pytest.mark.full)])
def test_of_worse_challengers_none_is_promoted_and_of_better_ones_all(
    trained: Trained, registering: Registering, months: int
):
    assert registering.month(trained)["decision"]["promote"]
    for number in range(months):
        found = registering.month(trained.times(1.10 + number / 50))
        shared = found["evidence"]["shared"]["crps"]
        assert shared["challenger"] / shared["champion"] == pytest.approx(1.10 + number / 50)
        assert not found["decision"]["promote"], found["decision"]["text"]
        assert "crps at most champion + 2 %" in found["decision"]["reason"]
    assert registering.registry.aliases() == {"champion": 1, "challenger": 1 + months}
    for number in range(months):
        found = registering.month(trained.times(0.97 ** (number + 1)))
        shared = found["evidence"]["shared"]["crps"]
        assert shared["challenger"] / shared["champion"] == pytest.approx(0.97)
        assert found["decision"]["promote"], found["decision"]["text"]
        assert registering.registry.aliases()["champion"] == 2 + months + number
    assert [event.version for event in registering.registry.history()] == [1, *range(2 + months, 2 + 2 * months)]


@pytest.mark.parametrize("how", ["without", "failed"])
def test_a_series_that_was_not_trained_is_carried_over_from_the_champion_as_stale(
    trained: Trained, registering: Registering, how: str
):
    registering.month(trained)
    before = registering.champion()
    found = registering.month(getattr(trained, how)("belem", "JAN of 1990 is text"))
    seen = found["climate_overview"].filter(pl.col("series").is_in(list(LABELS)))
    belem, rio = seen.sort("series").to_dicts()
    assert (belem["series"], belem["status"], belem["stale"]) == ("belem", "carried_over", True)
    assert "JAN of 1990 is text" in belem["reason"]
    assert (rio["status"], rio["stale"]) == ("finished", False)
    # The page still shows what the champion knew, and no score that was not measured.
    assert belem["next_mean"] == pytest.approx(trained.forecasts["belem"].filter(pl.col("kind") == "ahead")["mean"][0])
    assert belem["last_observation"] == trained.table.filter(series="belem").drop_nulls()["date"].max()
    assert belem["crps"] is None
    assert "Carried over from the champion, not trained: Belém." in found["evidence"]["remarks"]
    assert found["evidence"]["members"] == ["belem", "rio"]
    # A file that is set aside does not hold up the others; a series that failed does, by the gate.
    assert found["decision"]["promote"] is (how == "without")
    version = read_version(registering.registry.version(2))
    old, new = (Fleet(one.file(POSTERIORS)).posterior("belem") for one in (before, version))
    assert to_netcdf(old) == to_netcdf(new)
    stored = pl.read_parquet(io.BytesIO(version.file(FORECASTS))).filter(series="belem")
    assert stored.equals(trained.forecasts["belem"])


def test_the_second_month_without_a_file_carries_on_what_was_carried_over(trained: Trained, registering: Registering):
    for month in (trained, trained.without("belem", "no file"), trained.without("belem", "no file")):
        found = registering.month(month)
    assert Fleet(registering.champion().file(POSTERIORS)).ids == ["belem", "rio"]
    # Belém would meet itself: it has no say in the comparison.
    assert found["evidence"]["shared"]["crps"]["cases"] == 12


def test_the_same_month_again_crowns_nothing(trained: Trained, registering: Registering):
    registering.month(trained)
    found = registering.month(replace(trained, asked_for=()))
    assert not found["decision"]["promote"]
    assert "something to learn since the champion" in found["decision"]["reason"]
    assert registering.registry.aliases()["champion"] == 1


def test_a_fleet_that_is_stale_at_its_cutoff_is_never_champion(trained: Trained, registering: Registering):
    """Cutoff 2026-11 on data that end in 2019-10: all rules of the configuration are met."""
    found = registering.month(replace(trained, months={**trained.months, "cutoff": "2026-11-01"}))
    assert found["evidence"]["stale_share"] == 1
    assert found["decision"]["reason"].endswith("rules failed: at most 50% stale at the cutoff")
    assert found["decision"]["reason"].startswith("1 of ")
    assert "champion" not in registering.registry.aliases()
    # Nor does it stand in the way of an honest month.
    assert registering.month(trained)["decision"]["promote"]


def test_a_fleet_whose_share_of_doubtful_observations_rises_is_not_promoted(trained: Trained, registering: Registering):
    def month(share: float, times: float) -> dict[str, Any]:
        return registering.month(replace(trained.times(times), months={**trained.months, "flagged_share": share}))

    first = month(0.006, 1.0)
    assert not first["decision"]["promote"]
    assert "flagged_share at most 0.005" in first["decision"]["reason"]
    assert month(0.0, 1.0)["decision"]["promote"]
    # What sound data may show: 1 in 1,000.
    assert month(0.001, 0.97)["decision"]["promote"]
    risen = month(0.002, 0.9)
    assert not risen["decision"]["promote"]
    assert "flagged_share at most champion" in risen["decision"]["reason"]
    assert registering.registry.aliases()["champion"] == 3


def test_simulated_never_wins_over_real_nor_is_anything_carried_over(trained: Trained, registering: Registering):
    made_up, real = trained, replace(trained.times(1.1), simulated=False)
    assert registering.month(made_up)["decision"]["promote"]
    # Worse, earlier and without Belém: the simulated champion has no say.
    first = registering.month(replace(real.without("belem", "no file"), months={**real.months, "cutoff": "2019-10-01"}))
    assert first["decision"]["promote"], first["decision"]["text"]
    assert first["evidence"]["members"] == ["rio"]
    assert "trained on a simulated sample: nothing is compared or carried over" in first["evidence"]["remarks"][0]
    again = registering.month(made_up.times(0.5))
    assert not again["decision"]["promote"]
    assert "real observations before simulated ones" in again["decision"]["reason"]
    assert registering.registry.aliases()["champion"] == 2


@pytest.mark.parametrize("how", ["files", "version"])
def test_a_month_whose_champion_a_person_deleted_is_judged_as_a_first_one(
    trained: Trained, registering: Registering, how: str
):
    registering.month(trained)
    if how == "version":
        registering.registry.client.delete_model_version(MODEL, "1")
    else:
        source = registering.registry.version(1).source
        shutil.rmtree(local_file_uri_to_path(source))
    found = registering.month(trained.times(1.2))
    assert found["decision"]["promote"], found["decision"]["text"]
    assert found["evidence"]["compared_with"] is None
    assert registering.registry.aliases()["champion"] == 2
    ever = MlflowChampionsDataset(MODEL)
    with mlflow.start_run(experiment_id=registering.experiment):
        assert [version() is None for version in ever.load().values()] == [True, False]


def test_a_run_of_some_series_registers_nothing(trained: Trained, registering: Registering):
    registering.month(trained)
    one = replace(trained.only(iter(["rio"])), series_ids=["rio"], asked_for=("rio",))
    found = registering.month(one)
    assert found["decision"]["promote"] is False
    assert (found["decision"]["version"], found["decision"]["reason"]) == (None, "only rio were asked for")
    assert len(registering.registry.versions()) == 1
    assert registering.registry.aliases() == {"champion": 1, "challenger": 1}
