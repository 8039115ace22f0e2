"""The model that a hosted project has made: stored without a pickle, or loaded in the project's own process alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.deployment import ROOT
from tests.fixtures.hosted import Stranger
from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.model import store_model
from tracked_kedro.guest.request import MODEL_FOLDER
from tracked_kedro.hosting.answering import AnsweringModel, is_answered_elsewhere
from tracked_kedro.promotion import stored_model
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.serving.server import load_here
from tracked_kedro.serving.signing import TrustedFiles

TABLE = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, 1]})
SETTINGS = {"dataset": "model", "name": "m"}


class Own:
    """A class that no library knows."""

    def predict(self, table):
        return table["a"]


def test_a_model_of_scikit_learn_is_stored_by_skops_with_its_signature(tmp_path: Path):
    made = make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=3)).fit(TABLE, TABLE["a"])
    store_model(made, SETTINGS, {"seed": 3, "X": TABLE}, str(tmp_path))
    folder = tmp_path / MODEL_FOLDER
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.metadata.get_input_schema().input_names() == ["a", "b"]
    assert list(loaded.predict(TABLE)) == pytest.approx(list(made.predict(TABLE)))


@pytest.mark.parametrize(
    "model", [Own(), make_pipeline(FunctionTransformer(Own), StandardScaler())], ids=["own", "holds"]
)
def test_what_only_a_pickle_can_hold_is_refused_unless_the_block_allows_it(tmp_path: Path, model: object):
    with pytest.raises(PermanentError, match=r"track\.model: model .*allow_pickle: true"):
        store_model(model, SETTINGS, {}, str(tmp_path))
    assert not (tmp_path / MODEL_FOLDER).exists()


def test_a_pickle_is_registered_judged_and_loaded_in_its_project_s_process_alone(tmp_path: Path, var: Path):
    project = Path(shutil.copytree(ROOT / "tests" / "projects" / "harvest", tmp_path / "harvest"))
    track = {"model": {"dataset": "yield_model", "name": "harvest-yield", "allow_pickle": True}}
    hosted = Stranger.hosted(project, tmp_path / "data", track=track)
    hosted.task("train")

    with mlflow.start_run(run_id=hosted.run_id) as run:
        mlflow.log_metric("mean_error", 0.5)
        run = MlflowClient().get_run(run.info.run_id)
        stored = f"{hosted.data}/{MODEL_FOLDER}"
        challenger = stored_model.register(run, "harvest-yield", stored, {"environment": "shared"})
        assert stored_model.register(run, "harvest-yield", stored, {})["version"] == challenger["version"] == 1
        rules = Promotion.model_validate(
            {"rules": [{"metric": "mean_error", "direction": "lower", "reference": 1, "tolerance": {"absolute": 0.1}}]}
        )
        decision = stored_model.decide(challenger, rules)
        assert decision["promote"], decision
        stored_model.promote(decision, rules, {"by": "me"})
    registry = Registry("harvest-yield")
    assert registry.aliases() == {"challenger": 1, "champion": 1}

    version = registry.version(1)
    assert is_answered_elsewhere(version.tags)
    folder = tmp_path / "served"
    TrustedFiles(version).fetch(folder)
    with pytest.raises(Exception, match="its project's own process loads alone"):
        load_here(version, folder)
    model = AnsweringModel(hosted.project, folder, mlflow.get_tracking_uri())
    body = json.dumps({"dataframe_records": [{"year": 2024, "rain": 2.0, "sun": 3.0, "tons": 1.0}]})
    status, text = model.answer(body.encode())
    assert status == 200 and json.loads(text)["predictions"] == [{"0": pytest.approx(7 * 1.4, rel=0.1)}]
    status, text = model.answer(b'{"dataframe_records": [{"rain": 2.0}]}')
    assert status == 400 and "sun" in text
    assert model.answer(body.encode())[0] == 200, "an error is one answer, and the next request has its own"
