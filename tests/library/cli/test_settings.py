"""What a person gives to make: what cannot be used is said by name, before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tracked_kedro.cli.given import from_make, read

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
    assert from_make("rents", BLOCK, ["RENTS"], {"RENTS": "flats"}) == {"RENTS": f"rents={tmp_path / 'flats'}"}


def test_addresses_and_plain_values_are_taken_as_they_are():
    environment = {"RENTS": "https://data.example.org/flats.csv", "SEED": "7"}
    assert from_make("rents", BLOCK, ["RENTS", "SEED"], environment) == {
        "RENTS": "rents=https://data.example.org/flats.csv",
        "SEED": "seed=7",
    }


FORM = {
    "make": {"FLATS": "flats", "ROWS": "rows", "CUTOFF": "cutoff", "HOW": "how"},
    "params": {
        "flats": {"type": ["null", "array"], "choices": {"berlin": {}, "bonn": {}}},
        "rows": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number", "exclusiveMinimum": 0},
        "cutoff": {"type": ["null", "string"], "format": "date"},
        "how": {"type": "string", "enum": ["fast", "exact"]},
        "where": {"type": ["null", "string"], "pattern": "^x$"},
    },
}


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("FLATS", "bon", "FLATS: there is no 'bon'; known are berlin, bonn; did you mean bonn?"),
        ("FLATS", "berlin,köln", "FLATS: there is no 'köln'; known are berlin, bonn"),
        ("ROWS", "0", "ROWS: 0 is less than the minimum of 1"),
        ("ROWS", "ten", "ROWS: 'ten' is not of type 'integer'"),
        ("CUTOFF", "2024-13-01", "CUTOFF: '2024-13-01' is no date (YYYY-MM-DD)"),
        ("HOW", "quick", "HOW: 'quick' is none of fast, exact"),
        ("ROW", "1", "lettings takes no ROW; it takes FLATS, ROWS, CUTOFF, HOW (and DAG=, VAR=); did you mean ROWS?"),
    ],
)
def test_what_the_form_would_refuse_is_refused_by_the_name_of_its_variable(variable: str, value: str, message: str):
    with pytest.raises(click.ClickException) as refused:
        read("lettings", FORM, [], [variable], {variable: value})
    assert refused.value.message == message


def test_what_can_be_used_comes_through_as_the_field_has_it():
    environment = {"FLATS": "bonn, berlin", "CUTOFF": "2024-01-01"}
    given = read("lettings", FORM, ["share=0.5", "how=exact", "where=2024"], ["FLATS", "CUTOFF"], environment)
    assert given.conf == {
        "flats": ["bonn", "berlin"],
        "cutoff": "2024-01-01",
        "share": 0.5,
        "how": "exact",
        "where": "2024",  # a text that looks like a number stays a text
    }


def test_a_later_complaint_names_the_variable_too():
    given = read("lettings", FORM, [], ["CUTOFF"], {"CUTOFF": "2024-01-15"})
    assert given.complaint("lettings.cutoff: not the first of a month").startswith("CUTOFF: lettings.cutoff")
