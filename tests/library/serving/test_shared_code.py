"""Models of child runs answer with the code of their run, which the parent holds once for all of them."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from mlflow.tracking import MlflowClient

from tests.fixtures.bare_process import bare_answer
from tests.library.serving.conftest import forget, write
from tracked_kedro.child_runs.children import KEY_TAG, ChildRuns
from tracked_kedro.child_runs.datasets import MlflowChildRunsDataset
from tracked_kedro.child_runs.record import ChildRecord
from tracked_kedro.serving.packaging import write_model
from tracked_kedro.serving.shared_code import FOLDER, take_code

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


def save_base(base: bytes, folder: Path) -> None:
    """A pipeline's `save_model`: a whole model, code and all."""
    write_model("made_up.pipelines.prices", {"base.txt": base}, folder)


@pytest.fixture
def shard(made_up: Path, var: Path, parent):
    """Saves child runs as one task does: a dataset of its own."""

    def save(**bases: bytes) -> None:
        dataset = MlflowChildRunsDataset(str(var / "child_runs"), save_model=f"{__name__}.save_base")
        dataset.save({key: ChildRecord(key, "FINISHED", key, model=base) for key, base in bases.items()})

    return save


@pytest.fixture
def uris(store: MlflowClient, parent):
    """Addresses of the children's models, by key."""

    def found() -> dict[str, str]:
        runs = ChildRuns(store, parent).find_all().values()
        return {run.data.tags[KEY_TAG]: f"runs:/{run.info.run_id}/model" for run in runs}

    return found


@pytest.fixture
def shared(store: MlflowClient, parent):
    """The archives that the parent holds."""
    folder = Path(parent.info.artifact_uri.removeprefix("file://"), FOLDER)
    return lambda: sorted(folder.glob("*"))


def answer(uri: str) -> float:
    return mlflow.pyfunc.load_model(uri).predict([7.0])[0]


def test_children_of_all_tasks_share_one_archive_and_answer(shard, uris, shared) -> None:
    shard(a=b"500", b=b"600")
    shard(c=b"700")
    assert len(shared()) == 1
    forget()
    assert {key: answer(uri) for key, uri in uris().items()} == {"a": 570, "b": 670, "c": 770}
    files = [path for uri in uris().values() for path in Path(mlflow.artifacts.download_artifacts(uri)).rglob("*.zip")]
    assert files == []


def test_a_child_answers_with_its_code_when_the_checkout_has_other(shard, uris, shared, made_up: Path) -> None:
    shard(old=b"500")
    write(made_up, {"pipelines/prices/rates.py": "RATE = 20\n"})
    forget()
    shard(new=b"500")
    assert len(shared()) == 2, "the code changed between two tasks of one run"
    forget()
    shutil.rmtree(made_up)
    assert {key: answer(uri) for key, uri in uris().items()} == {"old": 570, "new": 640}
    assert "made_up" not in sys.modules


def test_a_child_answers_where_neither_project_nor_library_is(shard, uris, var: Path) -> None:
    shard(a=b"500")
    assert bare_answer(uris()["a"], var) == "570.0 []"


def test_a_child_is_served(shard, uris) -> None:
    shard(a=b"500")
    forget()
    model = mlflow.pyfunc.load_model(uris()["a"])
    schema = model.metadata.get_input_schema()
    answered = scoring_server.invocations(json.dumps({"inputs": [7.0]}), "application/json", model, schema)
    assert json.loads(answered.response)["predictions"] == [570]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "cannot be read: it is model_code/.* of its parent run [0-9a-f]{32}. MLFLOW_TRACKING_URI has to"),
        (partial(Path.write_bytes, data=b"other code"), "is not the code that this model was saved with: restore it"),
    ],
    ids=["gone", "changed"],
)
def test_without_the_code_of_its_run_a_child_refuses_though_there_is_other(
    shard, uris, shared, damage, message: str
) -> None:
    """The checkout has it, and so has the user's cache."""
    shard(a=b"500")
    forget()
    assert answer(uris()["a"]) == 570
    forget()
    (archive,) = shared()
    damage(archive)
    with pytest.raises(MlflowException, match=message):
        mlflow.pyfunc.load_model(uris()["a"])


def test_an_archive_that_a_killed_task_left_unfinished_is_written_again(shard, uris, shared) -> None:
    shard(a=b"500")
    (archive,) = shared()
    whole = archive.read_bytes()
    archive.write_bytes(whole[:100])
    shard(b=b"600")
    assert archive.read_bytes() == whole
    forget()
    assert answer(uris()["a"]) == 570


def test_the_archive_is_written_once_and_looked_for_once_a_task(
    shard, monkeypatch: pytest.MonkeyPatch, store: MlflowClient
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    asked: list[str] = []
    for name in ("list_artifacts", "log_artifact"):
        original = getattr(LocalArtifactRepository, name)

        def counted(self, *arguments, original=original, name=name):
            asked.append(name)
            return original(self, *arguments)

        monkeypatch.setattr(LocalArtifactRepository, name, counted)
    shard(a=b"500", b=b"600", c=b"700")
    shard(d=b"800")
    assert asked == ["list_artifacts", "log_artifact", "list_artifacts"]


def test_what_is_left_of_the_model_names_no_archive(made_up: Path, tmp_path: Path) -> None:
    save_base(b"500", tmp_path / "model")
    path, content = take_code(tmp_path / "model", "0" * 32)
    assert (path.startswith(f"{FOLDER}/"), len(content) > 0) == (True, True)
    artifacts = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())["flavors"]["python_function"]["artifacts"]
    assert list(artifacts) == ["base.txt"]


def test_a_model_that_was_saved_otherwise_stays_as_it_is(made_up: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "MLmodel").write_text("flavors: {}\n")
    assert take_code(tmp_path / "plain", "0" * 32) is None
    save_base(b"500", tmp_path / "model")
    served = tmp_path / "model" / "prices.py"
    served.write_text("# of its own\n")
    before = {path: path.read_bytes() for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert take_code(tmp_path / "model", "0" * 32) is None
    assert {path: path.read_bytes() for path in (tmp_path / "model").rglob("*") if path.is_file()} == before
