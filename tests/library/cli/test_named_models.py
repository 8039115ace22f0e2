"""The registered model that a command is about, where a person names a DAG."""

from __future__ import annotations

import click
import pytest

from tests.fixtures.rents import Rents
from tracked_kedro.cli.named_models import of_pipeline


def test_it_is_the_one_that_the_block_names(rents: Rents):
    conf = rents.project / "conf" / "base"
    for name, block in {
        "guest": "{project: ../guest, track: {model: {dataset: m, name: guests-model}}}",
        "without": "{project: ../guest}",
    }.items():
        (conf / name).mkdir()
        (conf / name / "airflow.yml").write_text(f"{name}: {block}\n")
    assert of_pipeline("rents") == "rents"
    assert of_pipeline("guest") == "guests-model"
    with pytest.raises(click.ClickException, match=r"block without of airflow\.yml names no registered model"):
        of_pipeline("without")
    with pytest.raises(click.ClickException, match=r"has no block 'rent'.*rents"):
        of_pipeline("rent")
