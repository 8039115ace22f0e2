"""A saved model stands alone: it forecasts where this project is not installed, without a pickle."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from mlflow.types import DataType

from retraining.pipelines.climate_brazil.series import series_model
from retraining.pipelines.climate_brazil.series.saving import save_series_model
from retraining.pipelines.climate_brazil.structural import to_netcdf
from tests.deployment import ROOT

# What a stranger does with the model: no path to this project, no pickle allowed.
STRANGER = """
import json, sys
sys.path[:] = [part for part in sys.path if part not in sys.argv[2:]]
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
ahead = pd.DataFrame({"n_ahead": [14]})
out = {"quantiles": model.predict(ahead).to_dict("records"),
       "draws": model.predict(ahead, params={"output": "draws", "draws": 5, "seed": 3}).to_dict("records"),
       "packages": [list(module.__path__) for name, module in sys.modules.items()
                    if name.startswith("served_") and "." not in name],
       "modules": sorted({name.split(".")[0] for name in sys.modules})}
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def folder(posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    save_series_model(to_netcdf(posterior), path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path):
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="module")
def stranger(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the model answers in a fresh process that knows nothing of this project."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "GIT_PYTHON_REFRESH": "quiet"}
    environment["XDG_CACHE_HOME"] = str(elsewhere / "cache")
    ours = [str(ROOT / "kedro_project" / "src"), str(ROOT / "plugins")]
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(folder), *ours],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ahead(n: Any) -> pd.DataFrame:
    return pd.DataFrame({"n_ahead": np.atleast_1d(n)})


def test_a_stranger_gets_quantiles(stranger: dict[str, Any], posterior) -> None:
    records = stranger["quantiles"]
    assert [record["date"] for record in records[:2]] == ["2010-01-01", "2010-02-01"]
    assert len(records) == 14
    expected = posterior.forecast(14)
    assert [record["mean"] for record in records] == pytest.approx(list(expected.mean), abs=1e-9)
    assert [record["q90"] for record in records] == pytest.approx(list(expected.quantile([0.9])[0]), abs=1e-9)
    assert all(record["q10"] < record["q50"] < record["q90"] for record in records)


def test_a_stranger_gets_draws(stranger: dict[str, Any]) -> None:
    draws = pd.DataFrame(stranger["draws"])
    assert list(draws.columns) == ["date", "draw", "temperature"]
    assert draws.groupby("draw").size().to_dict() == dict.fromkeys(range(5), 14)
    assert draws["temperature"].between(15, 35).all()


def test_the_code_comes_with_the_model(stranger: dict[str, Any]) -> None:
    assert not {"retraining", "tracked_kedro"} & set(stranger["modules"])
    ((unpacked,),) = stranger["packages"]
    assert (Path(unpacked) / "retraining/pipelines/climate_brazil/structural/forecast.py").is_file()
    # From a folder Numba keeps what it has compiled: the next process of this user compiles nothing.
    assert list(Path(unpacked).rglob("*.nbi"))


def test_the_model_s_own_code_answers_where_the_checkout_is_another(posterior, tmp_path: Path) -> None:
    """One that could forecast nothing."""
    save_series_model(to_netcdf(posterior), tmp_path / "model")
    source = shutil.copytree(ROOT / "kedro_project" / "src", tmp_path / "src")
    predict = source / "retraining" / "pipelines" / "climate_brazil" / "structural" / "predict.py"
    predict.write_text("raise ImportError('another checkout')\n")
    ask = (
        "import mlflow, pandas, sys, retraining; model = mlflow.pyfunc.load_model(sys.argv[1]); "
        "table = model.predict(pandas.DataFrame({'n_ahead': [2]})); "
        "print(retraining.__file__, *table['mean'])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ask, str(tmp_path / "model")],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    checkout, *means = done.stdout.split()
    assert Path(checkout).is_relative_to(source)
    assert [float(mean) for mean in means] == pytest.approx(list(posterior.forecast(2).mean), abs=1e-9)


def test_a_child_run_made_before_0_2_0_still_answers(posterior, folder: Path, tmp_path: Path) -> None:
    """Its file imports `retraining.structural` of the checkout where there is one."""
    old = shutil.copytree(folder, tmp_path / "old")
    text = (Path(series_model.__file__)).read_text()
    now = "from retraining.pipelines.climate_brazil.structural import load_posterior"
    before = "from retraining.structural import Posterior"
    assert (now in text, "load_posterior(context" in text) == (True, True)
    text = text.replace(now, before).replace("load_posterior(context", "Posterior.load(context")
    (old / "series_model.py").write_text(text)
    (old / "artifacts" / "code.zip").unlink()
    answer = mlflow.pyfunc.load_model(str(old)).predict(ahead(3))
    assert list(answer["mean"]) == pytest.approx(list(posterior.forecast(3).mean), abs=1e-9)


def test_forecasting_needs_no_training_stack(stranger: dict[str, Any]) -> None:
    assert not {"pymc", "pytensor", "nutpie", "kedro", "arviz", "xarray", "matplotlib"} & set(stranger["modules"])


def test_what_forecasting_imports_is_declared(stranger: dict[str, Any], folder: Path) -> None:
    declared = {line.split("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
    known = {"mlflow", "numpy", "pandas", "scipy", "xarray", "h5netcdf", "h5py", "pydantic", "numba"}
    used = known & set(stranger["modules"])
    assert used <= declared
    # Every requirement is pinned: the file is what the model was made with.
    assert all("==" in line for line in (folder / "requirements.txt").read_text().splitlines())


def test_there_is_no_pickle_and_few_files(folder: Path) -> None:
    # Other tests have loaded the model, by which Python may leave its bytecode there.
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    files = {path.as_posix() for path in paths if "__pycache__" not in path.parts}
    assert files == {
        "MLmodel",
        "python_env.yaml",
        "requirements.txt",
        "series_model.py",
        "artifacts/posterior.nc",
        "artifacts/code.zip",
    }
    assert yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"].get("python_model") is None


def test_the_environment_is_declared_once_for_virtualenv_and_uv(folder: Path) -> None:
    flavor = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert flavor["env"] == {"virtualenv": "python_env.yaml"}
    assert "requirements.txt" in (folder / "python_env.yaml").read_text()
    # What MLflow itself reads where it makes an environment for the model.
    assert mlflow.pyfunc.get_model_dependencies(str(folder)) == str(folder / "requirements.txt")


def test_no_two_models_claim_to_be_the_same(folder: Path) -> None:
    assert "model_uuid" not in yaml.safe_load((folder / "MLmodel").read_text())


def test_the_archive_holds_the_model_code_only_and_is_small(folder: Path) -> None:
    archive = folder / "artifacts" / "code.zip"
    with zipfile.ZipFile(archive) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith("content.zip")]
        files = zipfile.ZipFile(io.BytesIO(outer.read(name))).namelist()
    code = [file for file in files if not file.endswith("__init__.py")]
    assert code
    assert all(file.startswith("retraining/pipelines/climate_brazil/structural/") for file in code)
    # Every parent run and every registered version holds one.
    assert archive.stat().st_size < 65_000


def test_the_signature_asks_for_whole_months(model) -> None:
    (column,) = model.metadata.get_input_schema().inputs
    assert (column.name, column.type, column.required) == ("n_ahead", DataType.long, False)
    assert {param.name: param.default for param in model.metadata.get_params_schema()} == {
        "output": "quantiles",
        "quantiles": [0.1, 0.5, 0.9],
        "draws": 100,
        "seed": 0,
    }


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "Int64"])
def test_it_takes_whole_numbers_as_pandas_has_them(model, dtype: str) -> None:
    assert len(model.predict(pd.DataFrame({"n_ahead": [3]}, dtype=dtype))) == 3


@pytest.mark.parametrize("value", [3, np.int64(3), np.int32(3)])
def test_it_takes_records_and_objects(model, value: Any) -> None:
    for asked in ([{"n_ahead": value}], {"n_ahead": value}, {"n_ahead": [value]}):
        assert len(model.predict(asked)) == 3


@pytest.mark.parametrize("asked", [{}, [{}], [], pd.DataFrame(), pd.DataFrame([{}])])
def test_without_a_number_of_months_it_forecasts_a_year(model, asked: Any) -> None:
    assert model.predict(asked).equals(model.predict(ahead(12)))


@pytest.mark.parametrize("count", [4, np.int64(4), np.int32(4)])
def test_parameters_are_whole_numbers_of_any_width(model, count: Any) -> None:
    draws = model.predict(ahead(3), params={"output": "draws", "draws": count, "seed": count})
    assert draws["draw"].nunique() == 4


def test_quantiles_may_be_chosen(model) -> None:
    table = model.predict(ahead(2), params={"quantiles": [0.975, 0.025]})
    assert list(table.columns) == ["date", "mean", "q2.5", "q97.5"]
    assert (table["q2.5"] < table["q97.5"]).all()


def test_draws_follow_their_seed(model) -> None:
    first, same, other = (
        model.predict(ahead(3), params={"output": "draws", "draws": 4, "seed": seed}) for seed in (1, 1, 2)
    )
    assert first.equals(same)
    assert not first.equals(other)


@pytest.mark.parametrize("n", [1, 600])
def test_the_ends_of_the_range_are_allowed(model, n: int) -> None:
    assert len(model.predict(ahead(n))) == n


@pytest.mark.parametrize(
    ("table", "params", "message"),
    [
        (ahead(0), {}, "n_ahead is 0; it must be between 1 and 600"),
        (ahead(601), {}, "n_ahead is 601; it must be between 1 and 600"),
        (ahead([1, 2]), {}, "One row with n_ahead is expected, got 2 rows"),
        (ahead([]).astype("int64"), {}, "One row with n_ahead is expected, got 0 rows"),
        (pd.DataFrame({"n_ahead": ["text"]}), {}, "n_ahead"),
        (pd.DataFrame({"n_ahead": [2.5]}), {}, "n_ahead"),
        (ahead(3), {"output": "plot"}, "output is 'plot'; it must be 'quantiles' or 'draws'"),
        (ahead(3), {"quantiles": [0.5, 1.5]}, "each between 0 and 1"),
        (ahead(3), {"quantiles": []}, "name at least one"),
        (ahead(3), {"output": "draws", "draws": 0}, "draws is 0; it must be between 1 and 10000"),
    ],
)
def test_impossible_input_is_refused_with_the_allowed_values(
    model, table: pd.DataFrame, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        model.predict(table, params=params)
    assert caught.value.get_http_status_code() == 400


class TestServed:
    """What `mlflow models serve` does with a request, from JSON to JSON."""

    def ask(self, model, body: dict[str, Any]) -> Any:
        schema = model.metadata.get_input_schema()
        return scoring_server.invocations(json.dumps(body), "application/json", model, schema)

    @pytest.mark.parametrize(
        "data",
        [
            {"dataframe_records": [{"n_ahead": 3}]},
            {"dataframe_split": {"columns": ["n_ahead"], "data": [[3]]}},
            {"inputs": [{"n_ahead": 3}]},
            {"inputs": {"n_ahead": 3}},
            {"inputs": {"n_ahead": [3]}},
            {"instances": [{"n_ahead": 3}]},
        ],
    )
    def test_answers_with_records(self, model, data: dict[str, Any]) -> None:
        answer = self.ask(model, {**data, "params": {"quantiles": [0.5]}})
        assert answer.status == 200
        predictions = json.loads(answer.response)["predictions"]
        assert [set(record) for record in predictions] == [{"date", "mean", "q50"}] * 3

    @pytest.mark.parametrize("form", ["inputs", "instances", "dataframe_records"])
    def test_answers_with_a_year_where_nothing_is_said(self, model, form: str) -> None:
        assert len(json.loads(self.ask(model, {form: [{}]}).response)["predictions"]) == 12

    def test_refuses_with_a_reason(self, model) -> None:
        with pytest.raises(MlflowException, match="n_ahead is 601") as caught:
            self.ask(model, {"dataframe_records": [{"n_ahead": 601}]})
        assert caught.value.get_http_status_code() == 400


def test_a_model_costs_little_and_leaves_nothing_behind(
    posterior, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    netcdf = to_netcdf(posterior)
    seconds = []
    for number in range(5):
        begin = time.perf_counter()
        save_series_model(netcdf, tmp_path / str(number))
        seconds.append(time.perf_counter() - begin)
    # 3 ms here; the limit only catches what would be made anew for each model.
    assert sorted(seconds)[2] < 0.02
    assert list(scratch.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        save_series_model(b"", folder)
