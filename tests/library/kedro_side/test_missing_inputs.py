"""A part whose input was not made yet is refused before a run begins, with the name of what makes it."""

from __future__ import annotations

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.cli.kedro_run import refusal
from tracked_kedro.kedro_side.missing_inputs import MissingInputError


def run(rents: Rents, runtime_params: dict[str, str] | None = None, **chosen: object) -> None:
    bootstrap_project(rents.project)
    with KedroSession.create(rents.project, runtime_params=runtime_params or {}, save_on_close=False) as session:
        session.run(**{"pipeline_names": ["rents"], **chosen})


def parents(store: MlflowClient) -> list[str]:
    experiment = store.get_experiment_by_name("rents")
    return [run.info.status for run in store.search_runs([experiment.experiment_id])] if experiment else []


def test_what_is_missing_and_what_makes_it_are_named_and_no_run_is_left(rents: Rents, store: MlflowClient):
    with pytest.raises(MissingInputError, match=r"rents_means.*run first: kedro run --pipelines rents$") as refused:
        run(rents, from_nodes=["assess"])
    assert refusal(refused.value) is refused.value
    assert parents(store) == []


def test_the_smallest_part_that_makes_it_is_named(rents: Rents, store: MlflowClient):
    with pytest.raises(MissingInputError, match=r"rents_table.*run first: .* rents\.(look|reading)$"):
        run(rents, node_names=["flats.fit"])
    assert parents(store) == []


def test_after_that_it_runs(rents: Rents, store: MlflowClient):
    run(rents, pipeline_names=["rents.reading"])
    run(rents, node_names=["flats.fit"])
    assert set(parents(store)) == {"FINISHED"}


@pytest.mark.parametrize("chosen", [{"tags": ["nope"]}, {"to_nodes": ["nope"]}, {"pipeline_names": ["rents.nope"]}])
def test_what_kedro_does_not_know_is_one_line(rents: Rents, store: MlflowClient, chosen: dict[str, object]):
    with pytest.raises(ValueError) as refused:
        run(rents, **chosen)
    found = refusal(refused.value)
    assert found is not None
    assert "\n" not in str(found)
    assert parents(store) == []


def test_an_error_in_a_node_keeps_its_traceback():
    def node() -> None:
        int("a mistake of the author")

    with pytest.raises(ValueError, match="author") as raised:
        node()
    assert refusal(raised.value) is None
