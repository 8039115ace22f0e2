"""Three consecutive months, from the first version to a rollback that is served: three real stations where they are.

`pytest -s tests/e2e/test_three_months.py` prints the decision of each month, the versions and the history.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from operations.native.ports import free_port
from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.deployment import ROOT
from tracked_kedro.promotion.registry import Registry

MODEL = "climate-brazil"
SERIES = ("belem", "rio", "vitoria")
CUTOFFS = ["2019-09-01", "2019-10-01", "2019-11-01"]


class Replayed:
    """A deployment after three months."""

    def __init__(self, deployment, output: str) -> None:
        self.deployment, self.output = deployment, output
        self.registry = Registry(MODEL, MlflowClient(deployment.environment["MLFLOW_TRACKING_URI"]))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tracked_kedro", *arguments],
            env=self.deployment.environment, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        print(done.stdout)
        return done

    def artifact(self, number: int, path: str) -> bytes:
        run = self.deployment.client.get_run(self.registry.version(number).run_id)
        return (Path(run.info.artifact_uri.removeprefix("file://")) / path).read_bytes()

    def decision(self, number: int) -> dict:
        return json.loads(self.artifact(number, "promotion/decision.json"))

    def stored(self, number: int) -> pl.DataFrame:
        table = pl.read_parquet(io.BytesIO(self.artifact(number, "forecasts/forecasts.parquet")))
        return table.filter(pl.col("kind") == "ahead").sort("series", "date")

    @contextmanager
    def served(self, *arguments: str) -> Iterator[str]:
        """The command of `make serve` on a free port; its address."""
        port = free_port()
        log = self.deployment.var / "serve.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tracked_kedro", "serve", "--port", str(port), *arguments],
                env=self.deployment.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            ready = 503 if "--wait" in arguments else 200
            while _answers(f"http://127.0.0.1:{port}/ping") != ready:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _answers(address: str) -> int | None:
    """Status of the answer; None where nobody answers."""
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def ask(address: str, *records: dict, **params: object) -> tuple[str, pl.DataFrame]:
    """The version that answered, and its predictions."""
    body = json.dumps({"inputs": list(records), **({"params": params} if params else {})}).encode()
    request = Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        table = pl.DataFrame(json.loads(answer.read())["predictions"])
        return answer.headers["x-model-version"], table.with_columns(pl.col("date").str.to_date())


@pytest.fixture(scope="module")
def replayed(new_deployment: Callable, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    real = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data") / "stations"
    stations = tmp_path_factory.mktemp("stations")
    for name in (f"station_{series}.csv" for series in SERIES):
        if real.is_dir():
            shutil.copy(real / name, stations)
        else:
            (stations / name).write_text(station_text(name.removeprefix("station_").removesuffix(".csv")))
    found = Replayed(new_deployment(), "")
    done = found.command(
        "replay",
        "--pipeline",
        "climate_brazil",
        "--months",
        "3",
        "--set",
        f"cutoff={CUTOFFS[-1]}",
        "--set",
        f"stations={stations}",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found.output = done.stdout
    return found


@pytest.mark.slow
def test_each_month_is_a_version_with_its_decision(replayed: Replayed):
    versions = [replayed.registry.version(number) for number in (1, 2, 3)]
    assert [version.tags["cutoff"] for version in versions] == CUTOFFS
    assert len({version.tags["data_digest"] for version in versions}) == 3
    assert all(version.tags["git_commit"] for version in versions)
    decisions = [replayed.decision(number) for number in (1, 2, 3)]
    assert [(one["version"], one["model"]) for one in decisions] == [(number, MODEL) for number in (1, 2, 3)]
    champion = None
    for decision in decisions:
        assert decision["champion"] == champion
        assert (
            f"version {decision['version']} {'may be' if decision['promote'] else 'is not'} promoted"
            in decision["text"]
        )
        assert decision["text"] in replayed.output
        champion = decision["version"] if decision["promote"] else champion
    # The history tells the same as the decisions, and the aliases follow from it.
    promoted = [one["version"] for one in decisions if one["promote"]]
    assert promoted, "nothing was promoted in three months"
    assert [(event.version, event.replaced) for event in replayed.registry.history()] == list(
        zip(promoted, [None, *promoted], strict=False)
    )
    aliases = replayed.registry.aliases()
    assert (aliases["champion"], aliases["challenger"]) == (promoted[-1], 3)


@pytest.mark.slow
def test_later_versions_are_compared_on_the_eleven_months_that_they_share(replayed: Replayed):
    compared = [one for one in replayed.decision(2)["outcomes"] if one["rule"] == "crps at most champion + 2 %"]
    assert re.match(r"on 1[01] shared months, champion 0\.\d+", compared[0]["note"])
    remarks = replayed.decision(2)["remarks"]
    assert "Compared with the champion, version 1 with cutoff 2019-09-01." in remarks
    assert any(re.match(r"Observations: \d+ new, 0 revised", remark) for remark in remarks)
    assert "Code: unchanged." in remarks


@pytest.mark.slow
def test_each_month_scores_what_the_champions_had_forecast(replayed: Replayed):
    ledger = pl.read_parquet(replayed.deployment.var / "data" / "climate_brazil" / "monitoring" / "realised.parquet")
    assert not ledger.select("version", "series", "date").is_duplicated().any()
    observed = ledger.filter(pl.col("observed").is_not_null())
    assert set(observed.filter(pl.col("version") == 1)["horizon"]) == {1, 2}
    metrics = replayed.deployment.client.get_run(replayed.registry.version(3).run_id).data.metrics
    assert metrics["realised_months"] == observed.height
    assert metrics["realised_crps_h01"] > 0


@pytest.mark.slow
def test_what_is_served_is_what_was_stored_and_a_rollback_is_served_too(replayed: Replayed):
    champion = replayed.registry.aliases()["champion"]
    with replayed.served("--model", MODEL) as address:
        version, table = ask(address, {"n_ahead": 12})
        assert version == f"{MODEL}/{champion}"
        stored = replayed.stored(champion)
        both = stored.join(table, on=["series", "date"], suffix="_served")
        assert both.height == stored.height == table.height
        for name in ("mean", "q10", "q50", "q90"):
            assert (both[name] - both[f"{name}_served"]).abs().max() < 1e-9, name
        _, quantiles = ask(address, {"series": "rio", "n_ahead": 3}, quantiles=[0.05, 0.95])
        assert quantiles.columns == ["series", "date", "mean", "q5", "q95"]
        with pytest.raises(HTTPError) as refused:
            ask(address, {"series": "atlantis", "n_ahead": 3})
        assert refused.value.code == 400
        assert "unknown series 'atlantis'; this version has belem" in refused.value.read().decode()

        other = next(number for number in (1, 2, 3) if number != champion)
        done = replayed.command("rollback", "--model", MODEL, "--to", str(other), "--why", "a test")
        assert done.returncode == 0, done.stderr
        begin = time.monotonic()
        while ask(address, {"series": "rio", "n_ahead": 1})[0] != f"{MODEL}/{other}":
            assert time.monotonic() - begin < 60, "the rollback is not served"
            time.sleep(0.5)
    assert replayed.registry.aliases() == {"champion": other, "previous": champion, "challenger": 3}
    assert replayed.registry.history()[-1].why == "a test"
    shown = replayed.command("models", "--model", MODEL).stdout
    assert re.search(rf"version {champion} → version {other}, rolled back by \S+: a test", shown)


@pytest.mark.slow
def test_without_a_champion_the_server_waits_for_one_and_serves_it(replayed: Replayed):
    client, champion = replayed.registry.client, replayed.registry.aliases()["champion"]
    client.delete_registered_model_alias(MODEL, "champion")
    try:
        ended = replayed.command("serve", "--model", MODEL, "--port", str(free_port()))
        assert ended.returncode == 1
        assert f"{MODEL} has no champion; it has challenger (version 3)" in ended.stderr
        with replayed.served("--model", MODEL, "--wait") as address:
            for path in ("ping", "invocations"):
                assert _answers(f"{address}/{path}") == 503
            with pytest.raises(HTTPError) as refused:
                ask(address, {"series": "rio", "n_ahead": 1})
            told = json.loads(refused.value.read())["message"]
            assert told == f"{MODEL} has no champion yet; `make retrain` makes one"
            client.set_registered_model_alias(MODEL, "champion", "1")
            begin = time.monotonic()
            while _answers(f"{address}/ping") != 200:
                assert time.monotonic() - begin < 60, "the new champion is not served"
                time.sleep(0.5)
            assert ask(address, {"series": "rio", "n_ahead": 1})[0] == f"{MODEL}/1"
    finally:
        client.set_registered_model_alias(MODEL, "champion", str(champion))


@pytest.mark.slow
def test_an_explicit_version_is_served_and_forecasts_as_a_batch(replayed: Replayed):
    with replayed.served("--model", f"{MODEL}/1") as address:
        assert ask(address, {"series": "rio", "n_ahead": 1})[0] == f"{MODEL}/1"
    done = subprocess.run(
        ["kedro", "run", "--pipelines=climate_brazil.forecast", f"--params=climate_brazil.forecast_with={MODEL}/1"],
        cwd=ROOT / "kedro_project", env=replayed.deployment.environment, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    [run] = [run for run in replayed.deployment.parents() if run.data.tags.get("model_version") == f"{MODEL}/1"
             and run.info.run_name == "climate_brazil.forecast"]  # fmt: skip
    path = Path(run.info.artifact_uri.removeprefix("file://")) / "forecasts" / "batch_forecasts.parquet"
    batch, stored = pl.read_parquet(path).sort("series", "date"), replayed.stored(1)
    assert batch.select("series", "date").equals(stored.select("series", "date"))
    assert (batch["mean"] - stored["mean"]).abs().max() < 1e-9
