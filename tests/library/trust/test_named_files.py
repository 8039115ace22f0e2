"""Files of this machine that a value from outside names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.sources import CANARY, content
from tracked_kedro.cli.given import sources
from tracked_kedro.kedro_side import locations
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.kedro_side.sources.local import open_without_links
from tracked_kedro.kedro_side.sources.opening import allow, source
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError


@pytest.fixture
def project(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose operator has listed nothing."""
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path / "project"))
    for folder in (locations.raw_folder(), var / "sample", var / "data", tmp_path / "theirs"):
        folder.mkdir(parents=True)
        (folder / "rents.csv").write_text(CANARY)
    return tmp_path


def test_by_default_the_raw_folder_and_the_sample_are_read_and_nothing_else(project: Path, var: Path) -> None:
    for folder in (locations.raw_folder(), var / "sample"):
        assert content(source(str(folder / "rents.csv"))) == CANARY
    for path in (var / "data/rents.csv", var, project / "theirs/rents.csv", "/proc/self/environ", "/etc/passwd"):
        for written in (str(path), f"file://{path}", f"local://{path}", f"{locations.raw_folder()}/../../../{path}"):
            with pytest.raises(SourceRefusedError, match="ALLOWED_SOURCES") as refused:
                source(written)
            assert CANARY not in str(refused.value)


def test_what_configuration_names_is_read_with_what_lies_beside_it(project: Path) -> None:
    named = str(project / "theirs" / "rents.csv")
    assert source(named, [named]).at(str(project / "theirs" / "runtimes.csv")).exists() is False
    with pytest.raises(SourceRefusedError):
        source(str(project / "other.csv"), [named, None])


def test_an_allowed_folder_never_brings_what_the_deployment_made(
    project: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_SOURCES", f"{project},/")
    assert source(str(project / "theirs")).is_folder()
    for path in (var / "data/rents.csv", "/proc/self/environ", "/dev/zero"):
        with pytest.raises(SourceRefusedError, match="or the system's own"):
            source(str(path)).open()
    monkeypatch.setenv("ALLOWED_SOURCES", f"{var}/data")
    monkeypatch.setenv("RETRAINING_DATA", "s3://runs/data")
    assert source(f"{var}/data/rents.csv").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "chain"])
def test_a_link_out_of_an_allowed_folder_does_not_count(project: Path, kind: str) -> None:
    raw, theirs = locations.raw_folder(), project / "theirs"
    if kind == "file":
        (raw / "link").symlink_to(theirs / "rents.csv")
    elif kind == "folder":
        (raw / "inner").symlink_to(theirs)
    else:
        (raw / "one").symlink_to(raw / "two")
        (raw / "two").symlink_to("../../../theirs/rents.csv")
    asked = raw / {"file": "link", "folder": "inner/rents.csv", "chain": "one"}[kind]
    with pytest.raises(SourceRefusedError):
        source(str(asked))
    with pytest.raises(SourceRefusedError):
        source(str(raw)).at(str(asked))


def test_a_link_inside_an_allowed_folder_counts(project: Path) -> None:
    (locations.raw_folder() / "newest.csv").symlink_to("rents.csv")
    assert content(source(str(locations.raw_folder() / "newest.csv"))) == CANARY


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_put_in_between_judging_and_opening_is_not_followed(
    project: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adversary's file stands there when it is judged, and a link when it is opened."""
    inner = locations.raw_folder() / "inner"
    inner.mkdir()
    (inner / "rents.csv").write_text("mine")

    def swapping(path: Path) -> Any:
        if swapped == "file":
            (inner / "rents.csv").unlink()
            (inner / "rents.csv").symlink_to(project / "theirs" / "rents.csv")
        else:
            inner.rename(inner.with_name("before"))
            inner.symlink_to(project / "theirs")
        return open_without_links(path)

    monkeypatch.setattr("tracked_kedro.kedro_side.sources.opening.open_without_links", swapping)
    with pytest.raises(SourceRefusedError, match="cannot be opened"):
        RawInputs(locations.raw_inputs()).keep(source(str(inner / "rents.csv")))
    assert not Path(locations.raw_inputs()).exists()


def test_a_pipe_is_no_file(project: Path) -> None:
    os.mkfifo(locations.raw_folder() / "pipe.csv")
    with pytest.raises(SourceRefusedError, match="no regular file"):
        source(str(locations.raw_folder() / "pipe.csv")).open()


def test_whoever_starts_a_process_may_name_a_file_with_a_comma(project: Path) -> None:
    folder = project / "a, b"
    folder.mkdir()
    (folder / "rents.csv").write_text("mine")
    allow([str(folder / "rents.csv")])
    assert content(source(str(folder / "rents.csv"))) == "mine"
    assert source(str(folder / "rents.csv")).at(str(folder / "beside.csv")).exists() is False


def test_a_command_may_read_what_it_names_and_a_run_from_elsewhere_may_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = {"make": {"RENTS": {"parameter": "rents", "path": True}, "CUTOFF": "cutoff"}}
    assert sources(block) == ["rents"]
    with pytest.raises(SourceRefusedError):
        source(str(project / "theirs" / "rents.csv"))
    allow([str(project / "theirs")])
    assert content(source(str(project / "theirs" / "rents.csv"))) == CANARY
    with pytest.raises(SourceRefusedError):
        source("/etc/passwd")
