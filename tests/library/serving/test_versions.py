"""A registered version answers with the code that it brought along, however the checkout has changed since."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.framework import project
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from tests.fixtures.bare_process import bare_answer
from tests.library.serving.conftest import write
from tracked_kedro.promotion.challenger import MlflowChallengerDataset
from tracked_kedro.promotion.evidence import Candidate, Evidence
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.serving.packaging import model_digest, write_model
from tracked_kedro.serving.server import NoVersionError, Scorer

PACKAGE = "made_up.pipelines.prices"
BASE = {"base.txt": b"500"}

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture
def register(made_up: Path, parent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Registers what the checkout holds now, as the node `register` does; the version's number."""
    monkeypatch.setattr(project, "PACKAGE_NAME", "made_up")

    def make() -> int:
        dataset = MlflowChallengerDataset("prices", "prices", str(tmp_path / "challenger.json"))
        dataset.save(Candidate(BASE, Evidence(metrics={"rmse": 1.0}, data_digest="d")))
        return dataset.load()["version"]

    return make


def answer(version: int) -> float:
    return mlflow.pyfunc.load_model(f"models:/prices/{version}").predict([7.0])[0]


def ask(scorer: Scorer, path: str = "/invocations", method: str = "POST") -> tuple[int, Any, dict[bytes, bytes]]:
    """One request, without a socket: status, content, headers."""
    sent: list[dict[str, Any]] = []
    body = json.dumps({"inputs": [7.0]}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(scorer(scope, receive, send))
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(content), dict(sent[0]["headers"])


def scorer_of(registry: Registry) -> Scorer:
    return Scorer("prices", "champion", registry.version)


def test_versions_keep_their_code_side_by_side(made_up: Path, register, store: MlflowClient) -> None:
    registry = Registry("prices", store)
    scorer = scorer_of(registry)
    first = register()
    registry.promote(first, None, "ana", "first")
    scorer.refresh()
    assert ask(scorer)[:2] == (200, {"predictions": [570.0]})

    write(made_up, {"pipelines/prices/rates.py": "RATE = 20\n"})
    assert answer(first) == 570
    second = register()
    registry.promote(second, first, "ana", "better")
    assert (first, second) == (1, 2)
    scorer.refresh()
    status, content, headers = ask(scorer)
    assert (status, content, headers[b"x-model-version"]) == (200, {"predictions": [640.0]}, b"prices/2")
    # Both in this process, and neither by the checkout.
    assert (answer(first), answer(second), answer(first)) == (570, 640, 570)
    assert f"{PACKAGE}.pricing" not in sys.modules

    shutil.rmtree(made_up)
    registry.rollback(None, "ben", "the rate is wrong")
    scorer.refresh()
    status, content, headers = ask(scorer)
    assert (status, content, headers[b"x-model-version"]) == (200, {"predictions": [570.0]}, b"prices/1")


def test_a_process_without_project_and_library_gets_the_same_answer(made_up: Path, tmp_path: Path) -> None:
    write_model(PACKAGE, BASE, tmp_path / "model")
    assert bare_answer(str(tmp_path / "model"), tmp_path) == "570.0 []"


def test_the_digest_is_of_code_and_files(made_up: Path) -> None:
    before = model_digest(PACKAGE, BASE)
    write(made_up, {"pipelines/prices/unrelated.py": "", "pipelines/others/__init__.py": "", "settings.py": "A = 1\n"})
    assert model_digest(PACKAGE, BASE) == before, "what the model does not import is none of it"
    assert model_digest(PACKAGE, {"base.txt": b"501"}) != before
    assert model_digest(PACKAGE, {"other.txt": b"500"}) != before
    write(made_up, {"pipelines/prices/rounding.py": "def rounded(value):\n    return value\n"})
    changed = model_digest(PACKAGE, BASE)
    served = made_up / "pipelines/prices/served_model.py"
    served.write_text(served.read_text().replace("for area in model_input", "for area in list(model_input)"))
    assert len({before, changed, model_digest(PACKAGE, BASE)}) == 3


def test_a_pipeline_without_a_served_model_is_named(made_up: Path, tmp_path: Path) -> None:
    write(made_up, {"pipelines/others/__init__.py": ""})
    with pytest.raises(FileNotFoundError, match=r"made_up\.pipelines\.others\.served_model is missing"):
        write_model("made_up.pipelines.others", {}, tmp_path / "model")


def test_a_model_that_imports_nothing_of_its_project_brings_nothing(made_up: Path, tmp_path: Path) -> None:
    served = made_up / "pipelines/prices/served_model.py"
    alone = served.read_text().replace(
        "from made_up.pipelines.prices.pricing import Pricing", "from array import array"
    )
    served.write_text(alone.replace('Pricing(context.artifacts["base.txt"])', "array('d')"))
    write_model(PACKAGE, BASE, tmp_path / "model")
    assert [path.name for path in (tmp_path / "model" / "artifacts").iterdir()] == ["base.txt"]
    assert (tmp_path / "model" / "prices.py").read_text() == served.read_text()


class TestScorer:
    def test_without_a_version_it_answers_503_with_the_remedy(self) -> None:
        def none(reference: str) -> ModelVersion:
            raise NoVersionError(f"prices has no {reference}")

        scorer = Scorer("prices", "champion", none)
        with pytest.raises(NoVersionError):
            scorer.refresh()
        status, content, _ = ask(scorer)
        assert (status, content) == (503, {"message": "prices has no champion yet; `make retrain` makes one"})

    def test_it_follows_and_what_is_served_outlives_a_registry_that_fails(
        self, made_up: Path, register, store: MlflowClient, monkeypatch: pytest.MonkeyPatch, caplog
    ) -> None:
        monkeypatch.setattr("tracked_kedro.serving.server.FOLLOW_EVERY", 0.01)
        caplog.set_level(logging.INFO, "tracked_kedro.serving.server")
        numbers = iter([register(), NoVersionError("nobody is champion"), OSError("no route")])
        asked = []

        def version_of(reference: str) -> ModelVersion:
            asked.append(reference)
            number = next(numbers, OSError("still none"))
            if isinstance(number, Exception):
                raise number
            return store.get_model_version("prices", str(number))

        scorer = Scorer("prices", "champion", version_of)
        with scorer.following():
            deadline = time.monotonic() + 30
            while len(asked) < 4:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert ask(scorer)[1] == {"predictions": [570.0]}
        assert {"nobody is champion", "The registry cannot be read: no route"} <= {
            one.message for one in caplog.records
        }
