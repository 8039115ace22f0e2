"""The registered recommender, written and loaded as MLflow does it: lists for users, the popular list for strangers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from retraining.pipelines.movie_recommender import served_model
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from tests.deployment import ROOT
from tracked_kedro.serving.limits import Limits, RefusedError, rows_asked_for
from tracked_kedro.serving.packaging import write_model


@pytest.fixture(scope="module")
def factors() -> FactorModel:
    """Two users, four movies; user 10 has seen b."""
    random = np.random.RandomState(0)
    return FactorModel(
        mean=3.0,
        users=np.array([10, 20]),
        movies=np.array(["a", "b", "c,+the+1999", "é"]),
        user_bias=np.array([0.2, -0.2], np.float32),
        movie_bias=np.array([0.5, 0.0, -0.5, 0.1], np.float32),
        user_factors=random.normal(size=(2, 3)).astype(np.float32),
        movie_factors=random.normal(size=(4, 3)).astype(np.float32),
        viewers=np.array([1, 9, 3, 2], np.int32),
        seen_start=np.array([0, 1, 1]),
        seen=np.array([1], np.int32),
    )


@pytest.fixture(scope="module")
def folder(factors: FactorModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "model"
    write_model("retraining.pipelines.movie_recommender", {"model.npz": factors.to_bytes()}, path)
    return path


@pytest.fixture(scope="module")
def served(folder: Path):
    return mlflow.pyfunc.load_model(str(folder))


def test_a_known_user_gets_what_the_model_names(served, factors: FactorModel) -> None:
    answer = served.predict([{"user": 10, "n": 2}])
    assert list(answer.columns) == ["user", "rank", "movie", "liking", "list"]
    assert list(zip(answer["movie"], answer["liking"], strict=True)) == factors.recommend(10, 2)
    assert "b" not in set(answer["movie"])
    assert (answer["rank"].tolist(), set(answer["list"])) == ([1, 2], {"own"})


def test_a_server_knows_how_many_movies_are_asked_for(served) -> None:
    def rows(*records: dict) -> int:
        return rows_asked_for(json.dumps({"inputs": records}).encode(), served, Limits())

    assert rows({"user": 10}, {"user": 20, "n": 1000}) == 1020
    with pytest.raises(RefusedError, match="more than 5000 rows"):
        rows(*[{"user": 10, "n": 1000}] * 6)


def test_a_stranger_gets_the_popular_list(served) -> None:
    answer = served.predict([{"user": 99, "n": 3}])
    assert answer["movie"].tolist() == ["b", "c,+the+1999", "é"]
    assert set(answer["list"]) == {"popular"}


def test_several_users_are_answered_in_their_order_and_a_table_will_do(served) -> None:
    answer = served.predict(pd.DataFrame({"user": [20, 99, 10], "n": [1, 2, 1]}))
    assert answer["user"].tolist() == [20, 99, 99, 10]
    assert len(served.predict([{"user": 20}])) == 4  # 20 are asked for, four movies there are


def test_recommend_is_there_for_python(served) -> None:
    model = served.unwrap_python_model()
    assert model.recommend(10, 1)["movie"].tolist() == served.predict([{"user": 10, "n": 1}])["movie"].tolist()


@pytest.mark.parametrize("request_", [{"user": 10, "n": 0}, {"user": 10, "n": 1001}, {"n": 3}, {"user": "nobody"}])
def test_an_impossible_request_is_refused(served, request_: dict) -> None:
    with pytest.raises(MlflowException, match="Failed to validate data"):
        served.predict([request_])


def test_it_is_code_and_arrays_without_a_pickle(folder: Path) -> None:
    files = [path.name for path in folder.rglob("*") if path.is_file()]
    assert {"movie_recommender.py", "model.npz", "code.zip"} <= set(files)
    assert not [name for name in files if name.endswith((".pkl", ".pickle"))]


def test_it_answers_where_the_project_is_not_installed(folder: Path, tmp_path: Path) -> None:
    ours = [str(ROOT / "kedro_project" / "src"), str(ROOT / "plugins")]
    code = (
        "import json, sys; sys.path[:] = [part for part in sys.path if part not in sys.argv[2:]]; import mlflow; "
        "answer = mlflow.pyfunc.load_model(sys.argv[1]).predict([{'user': 10, 'n': 1}]); "
        "names = ('cornac', 'kedro', 'pymc', 'retraining', 'tracked_kedro'); "
        "loaded = [name for name in names if name in sys.modules]; "
        "print(json.dumps([answer['movie'][0], loaded]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), *ours],
        cwd=tmp_path,
        env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    movie, loaded = json.loads(done.stdout.splitlines()[-1])
    assert movie in {"a", "c,+the+1999", "é"}
    assert loaded == []


def test_a_version_registered_before_0_2_0_still_answers(folder: Path, factors: FactorModel, tmp_path: Path) -> None:
    """Its file imports `retraining.recommender` of the checkout where there is one."""
    old = shutil.copytree(folder, tmp_path / "old")
    text = Path(served_model.__file__).read_text()
    now = "from retraining.pipelines.movie_recommender.recommender.factors import FactorModel"
    assert now in text
    before = text.replace(now, "from retraining.recommender.factors import FactorModel")
    (old / "movie_recommender.py").write_text(before)
    (old / "artifacts" / "code.zip").unlink()
    answer = mlflow.pyfunc.load_model(str(old)).predict([{"user": 10, "n": 2}])
    assert list(zip(answer["movie"], answer["liking"], strict=True)) == factors.recommend(10, 2)
