"""When a run that finds no input files may train on made-up ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracked_kedro.errors import PermanentError, classified
from tracked_kedro.kedro_side.simulated import NoInputError, check_sample_allowed, note_real


def check(pipeline: str = "rents") -> None:
    check_sample_allowed(pipeline, "flats_*.csv", f"{pipeline}.flats")


@pytest.mark.parametrize(
    ("asked", "environment"), [("", ""), ("", "local"), ("1", ""), ("1", "prod"), ("fresh", "prod"), ("fresh", "")]
)
def test_it_may(var: Path, monkeypatch: pytest.MonkeyPatch, asked: str, environment: str):
    monkeypatch.setenv("ALLOW_SIMULATED", asked)
    monkeypatch.setenv("KEDRO_ENV", environment)
    check()


@pytest.mark.parametrize(("asked", "environment"), [("", "prod"), ("0", "prod"), ("0", "")])
def test_it_may_not_and_no_retry_helps(var: Path, monkeypatch: pytest.MonkeyPatch, asked: str, environment: str):
    monkeypatch.setenv("ALLOW_SIMULATED", asked)
    monkeypatch.setenv("KEDRO_ENV", environment)
    with pytest.raises(
        NoInputError, match=r"rents has no input: .*01_raw holds no flats_\*.csv.*rents\.flats; ALLOW_SIMULATED=1"
    ) as refused:
        check()
    assert isinstance(classified(refused.value), PermanentError)


def test_a_deployment_that_has_read_real_files_is_fresh_no_longer(var: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALLOW_SIMULATED", "fresh")
    note_real("rents")
    check("flats")
    with pytest.raises(NoInputError, match="this deployment has read real files before"):
        check()
    # Whoever asks for the sample gets it.
    monkeypatch.setenv("ALLOW_SIMULATED", "1")
    check()


def test_another_value_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALLOW_SIMULATED", "yes")
    with pytest.raises(ValueError, match="ALLOW_SIMULATED=yes: it is 0, 1 or fresh"):
        check()
