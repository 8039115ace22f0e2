"""The registered fleet answers for each station with the code that it brought along; older versions still answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from retraining.pipelines.climate_brazil import served_model
from retraining.pipelines.climate_brazil.structural import pack
from tests.deployment import ROOT
from tracked_kedro.serving.limits import Limits, RefusedError, rows_asked_for
from tracked_kedro.serving.packaging import write_model

ASK = (
    "import mlflow, sys, retraining; model = mlflow.pyfunc.load_model(sys.argv[1]); "
    "print(retraining.__file__, *model.predict([{'n_ahead': 2}])['mean'])"
)


@pytest.fixture(scope="module")
def folder(posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fleet") / "model"
    write_model("retraining.pipelines.climate_brazil", {"posteriors.npz": pack([posterior])}, path)
    return path


def test_it_answers_for_the_whole_fleet_or_one_series(folder: Path, posterior) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    whole = model.predict([{"n_ahead": 3}], params={"quantiles": [0.5]})
    assert list(whole.columns) == ["series", "date", "mean", "q50"]
    assert list(whole["mean"]) == pytest.approx(list(posterior.forecast(3).mean), abs=1e-9)
    assert model.predict([{"series": "made_up", "n_ahead": 3}])["mean"].tolist() == whole["mean"].tolist()
    with pytest.raises(MlflowException, match="unknown series 'atlantis'; this version has made_up"):
        model.predict([{"series": "atlantis"}])
    with pytest.raises(MlflowException, match=r"quantiles are \[2.0\]"):
        model.predict([{"n_ahead": 3}], params={"quantiles": [2.0]})


@pytest.mark.parametrize("dtype", ["int64", "int32", "Int64"])
def test_a_table_will_do_and_a_year_where_nothing_is_said(folder: Path, dtype: str) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    assert len(model.predict(pd.DataFrame({"n_ahead": [3, 2]}, dtype=dtype))) == 5
    assert len(model.predict(pd.DataFrame({"series": ["made_up"]}))) == len(model.predict([{}])) == 12


def test_1_kb_cannot_ask_for_a_minute_of_work(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder))

    def rows(*records: dict, **params: list[float]) -> int:
        return rows_asked_for(json.dumps({"inputs": records, "params": params}).encode(), model, Limits())

    assert (rows({"n_ahead": 12}), rows({"series": "made_up"}, {"n_ahead": "600"})) == (12, 612)
    with pytest.raises(RefusedError, match="more than 5000 rows"):
        rows(*[{"n_ahead": 600}] * 40)
    with pytest.raises(RefusedError, match="quantiles has more than 20 values"):
        rows({"n_ahead": 600}, quantiles=[number / 100 for number in range(1, 99)])
    with pytest.raises(RefusedError, match="unknown parameter 'quantile'; known are: quantiles"):
        rows({"n_ahead": 12}, quantile=[0.5])


def test_the_model_s_own_code_answers_where_the_checkout_is_another(folder: Path, posterior, tmp_path: Path) -> None:
    source = shutil.copytree(ROOT / "kedro_project" / "src", tmp_path / "src")
    fleet = source / "retraining" / "pipelines" / "climate_brazil" / "structural" / "fleet.py"
    fleet.write_text("raise ImportError('another checkout')\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, str(folder)],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    checkout, *means = done.stdout.split()
    assert Path(checkout).is_relative_to(source)
    assert [float(mean) for mean in means] == pytest.approx(list(posterior.forecast(2).mean), abs=1e-9)


def test_a_version_registered_before_0_2_0_still_answers(folder: Path, posterior, tmp_path: Path) -> None:
    """Its file imports `retraining.structural` of the checkout where there is one."""
    old = shutil.copytree(folder, tmp_path / "old")
    text = Path(served_model.__file__).read_text()
    now = "from retraining.pipelines.climate_brazil.structural import Fleet"
    assert now in text
    (old / "climate_brazil.py").write_text(text.replace(now, "from retraining.structural import Fleet"))
    (old / "artifacts" / "code.zip").unlink()
    answer = mlflow.pyfunc.load_model(str(old)).predict([{"n_ahead": 2}])
    assert list(answer["mean"]) == pytest.approx(list(posterior.forecast(2).mean), abs=1e-9)
