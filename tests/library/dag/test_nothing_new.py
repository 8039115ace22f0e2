"""A scheduled run whose champion has learnt all of it already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.dag.nothing_new import nothing_new
from tracked_kedro.dag.run_kinds import is_the_schedules_own
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs
from tracked_kedro.promotion.training_inputs import TrainingInputs

Month = Callable[..., tuple[str | None, dict[str, str]]]


@pytest.fixture
def month(rents: Rents, store: MlflowClient, var: Path) -> Month:
    """A function that begins a month, and trains and promotes it on demand; what it says, and its parent's tags."""
    experiment = store.create_experiment("rents", artifact_location=(var / "mlflow" / "artifacts").as_uri())

    def run(name: str, whole: bool = False, tracked: bool = True, **asked: Any) -> tuple[str | None, dict[str, str]]:
        session = Session("rents", {"run_key": name, "rents": asked, "approval": {"by": "ana", "why": ""}})
        run_id = runs.open_parent(experiment, "rents", name, name, {}) if tracked else None
        said = runs.in_parent(run_id, lambda: nothing_new(session, "rents", session.run(nodes=["read"])))
        if whole:
            rest = ["flats.fit", "assess", "register", "decide", "promote"]
            runs.in_parent(run_id, lambda: session.run(nodes=rest))
        return said, store.get_run(run_id).data.tags if run_id else {}

    return run


def test_the_champions_own_inputs_are_nothing_new_in_a_later_month_too(month: Month) -> None:
    said, _ = month("first", whole=True, newest="2024-07-01")
    assert said is None, "there is no champion yet"
    said, tags = month("second", newest="2024-07-01", cutoff="2024-09-01")
    assert said == "nothing new to learn: data, code and configuration are those of the champion, version 1"
    assert tags["nothing_new"] == said
    assert tags["promotion"] == f"not promoted: {said}"


@pytest.mark.parametrize(
    "asked", [{"newest": "2024-08-01"}, {"sample": {"rows": 31}}, {"districts": ["north"]}], ids=str
)
def test_whatever_has_changed_is_news(month: Month, asked: dict[str, Any]) -> None:
    month("first", whole=True)
    said, tags = month("second", **asked)
    assert said is None
    assert "nothing_new" not in tags


def test_without_tracking_there_is_no_champion_to_know(month: Month) -> None:
    month("first", whole=True)
    assert month("second", tracked=False)[0] is None


def test_code_and_configuration_count_as_data_does() -> None:
    known = TrainingInputs(data_digest="a", code="b", settings={"draws": "1"})
    others = {"data_digest": "b", "code": None, "settings": {"draws": "2"}}
    changed = [known.model_copy(update={key: value}).changed_since(known) for key, value in others.items()]
    assert changed == [("data",), ("code",), ("configuration",)]
    assert known.changed_since(known.model_copy()) == ()


@pytest.mark.parametrize(
    ("kind", "conf", "cleared", "own"),
    [
        ("scheduled", {}, 0, True),
        ("scheduled", None, 0, True),
        ("scheduled", {}, 1, False),
        ("scheduled", {"rows": 3}, 0, False),
        ("manual", {}, 0, False),
        ("backfill", {}, 0, False),
    ],
)
def test_what_a_person_asked_for_is_not_the_schedules_own(kind: str, conf: Any, cleared: int, own: bool) -> None:
    dag_run = SimpleNamespace(run_type=kind, conf=conf, clear_number=cleared)
    assert is_the_schedules_own({"dag_run": dag_run}) is own
