"""Which stack `make backup` and `make restore` mean."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from operations import which_stack
from operations.backup import commands
from tests.deployment import ROOT
from tracked_kedro.cli.locks import NATIVE, only_one


@pytest.fixture
def place(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment's folder; no container engine is on the PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))
    (var / "native").mkdir()
    return tmp_path


def chosen(place: Path, wanted: str = "") -> str:
    return which_stack.chosen(wanted, place / ".env", place / "var" / "native")[0]


def test_what_is_set_up_is_chosen(place: Path):
    assert chosen(place) == "native"
    (place / ".env").touch()
    assert chosen(place) == "compose"


def test_of_two_the_one_that_runs_is_chosen_and_without_one_a_person_must_choose(place: Path):
    (place / ".env").touch()
    (place / "var" / "native" / "secrets.json").touch()
    with pytest.raises(SystemExit, match=r"Two stacks .* neither runs: STACK=compose or STACK=native says which"):
        chosen(place)
    with only_one(NATIVE, ""):
        assert chosen(place) == "native"
    assert chosen(place, "compose") == "compose"


def test_an_unknown_stack_is_refused(place: Path):
    with pytest.raises(SystemExit, match=r"STACK=docker is no stack: STACK=compose or STACK=native"):
        chosen(place, "docker")


def test_the_makefile_gets_the_name_and_the_person_the_reason(place: Path):
    command = [sys.executable, "-m", "operations.which_stack", ""]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == "native\n"
    assert done.stderr == "Stack: native, for there is no .env\n"


def test_where_no_stack_has_run_there_is_nothing_to_back_up_and_none_is_set_up(place: Path):
    with pytest.raises(click.ClickException, match=r"no stack has run here.*make retrain.*copy that folder"):
        commands.make(None)
    assert not list((place / "var").rglob("*.tar"))
    assert not list((place / "var" / "native").iterdir())
