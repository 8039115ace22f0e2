"""All pages of a search, on a real store."""

from __future__ import annotations

from itertools import islice

import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro import paging
from tracked_kedro.paging import paged


def test_every_page_of_every_search(store: MlflowClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "PAGE", 2)
    experiments = {store.create_experiment(f"any_{number}") for number in range(5)}
    runs = [store.create_run(experiment).info.run_id for experiment in sorted(experiments)]
    for number in range(3):
        store.create_registered_model(f"any-{number}")
        for run in runs[:3]:
            store.create_model_version(f"any-{number}", "s3://nowhere", run)
    assert {one.experiment_id for one in paged(store.search_experiments)} - {"0"} == experiments
    oldest = paged(store.search_runs, list(experiments), order_by=["attributes.start_time ASC"])
    assert {one.info.run_id for one in oldest} == set(runs)
    assert [one.name for one in paged(store.search_registered_models)] == ["any-0", "any-1", "any-2"]
    assert len(list(paged(store.search_model_versions, "name = 'any-1'"))) == 3
    assert list(paged(store.search_runs, list(experiments), "tags.none = 'x'")) == []


def test_the_next_page_is_asked_for_when_it_is_wanted(store: MlflowClient):
    experiment = store.create_experiment("any")
    for _ in range(5):
        store.create_run(experiment)
    asked = []

    def search(*arguments, **options):
        asked.append(options["page_token"])
        return store.search_runs(*arguments, **options)

    assert len(list(islice(paged(search, [experiment], max_results=2), 3))) == 3
    assert len(asked) == 2
