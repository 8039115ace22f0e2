"""Variables of make that name files: what is not there is said by name, before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tracked_kedro.cli.settings import from_make

BLOCK = {"make": {"RENTS": {"parameter": "rents", "path": True}, "SEED": "seed"}}


@pytest.mark.parametrize("value", ["absent", "/absent/flats.csv", "there/absent"])
def test_a_path_that_leads_nowhere_is_refused_with_its_variable(value: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(click.ClickException, match=f"RENTS={re.escape(value)}: .*{re.escape(str(tmp_path))}"):
        from_make("rents", BLOCK, ["RENTS"], {"RENTS": value})


def test_a_relative_path_starts_where_make_was_called(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flats").mkdir()
    assert from_make("rents", BLOCK, ["RENTS"], {"RENTS": "flats"}) == [f"rents={tmp_path / 'flats'}"]


def test_addresses_and_plain_values_are_taken_as_they_are():
    environment = {"RENTS": "https://data.example.org/flats.csv", "SEED": "7"}
    assert from_make("rents", BLOCK, ["RENTS", "SEED"], environment) == [
        "rents=https://data.example.org/flats.csv",
        "seed=7",
    ]
