"""A pipeline is one name in three folders: made, found by every process, and taken away again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tests.fixtures.dags import copied
from tests.fixtures.rents import write_project
from tracked_kedro.rendering.scaffold import delete_pipeline, new_pipeline

FOLDERS = ("lettings/src/lettings/pipelines/alpha", "lettings/conf/base/alpha", "tests/pipelines/alpha")
CATALOG = """
import json, os, sys
from kedro.framework.startup import bootstrap_project
from tracked_kedro.kedro_side.project_config import config_loader
project = sys.argv[1]
from pathlib import Path
bootstrap_project(Path(project))
print(json.dumps(config_loader(Path(project))["catalog"], default=str))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "lettings")


def files(root: Path) -> dict[str, bytes]:
    found = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_it_is_three_folders_and_no_other_file_changes(project: Path, tmp_path: Path):
    before = files(tmp_path)
    made = new_pipeline(project, "alpha")
    after = files(tmp_path)
    new = sorted(after.keys() - before.keys())
    assert sorted(str(path.relative_to(tmp_path)) for path in made) == new
    assert {name.rpartition("/")[0] for name in new} == set(FOLDERS)
    assert {name: after[name] for name in before} == before
    # A served model brings its package along: it must load without Kedro.
    assert "import" not in after["lettings/src/lettings/pipelines/alpha/__init__.py"].decode()


def test_deleting_it_leaves_everything_as_it_was(project: Path, tmp_path: Path):
    before = files(tmp_path)
    new_pipeline(project, "alpha")
    production = project / "conf" / "prod" / "alpha"
    production.mkdir(parents=True)
    (production / "parameters.yml").write_text("alpha: {}\n")
    removed = delete_pipeline(project, "alpha")
    assert {str(path.relative_to(tmp_path)) for path in removed} == {*FOLDERS, "lettings/conf/prod/alpha"}
    assert files(tmp_path) == before
    assert not [path for path in removed if path.exists()]


def test_one_that_cannot_be_imported_any_more_can_be_deleted(project: Path):
    new_pipeline(project, "alpha")
    (project / "src" / "lettings" / "pipelines" / "alpha" / "pipeline.py").write_text("def create_pipeline(:\n")
    assert len(delete_pipeline(project, "alpha")) == 3


@pytest.mark.parametrize("gone", range(3))
def test_what_is_left_of_one_can_be_deleted(project: Path, tmp_path: Path, gone: int):
    new_pipeline(project, "alpha")
    shutil.rmtree(tmp_path / FOLDERS[gone])
    assert len(delete_pipeline(project, "alpha")) == 2


@pytest.mark.parametrize("name", ["", "rent", "..", "../rents", ".", "*"])
def test_an_unknown_one_is_refused_with_the_known_ones(project: Path, tmp_path: Path, name: str):
    before = files(tmp_path)
    with pytest.raises(click.ClickException, match=r"; known are rents\. Nothing was removed\.$"):
        delete_pipeline(project, name)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Which name?"),
        ("Taxi", "use small letters"),
        ("import", "no word of Python's"),
        ("default", "no word of Python's"),
        ("../taxi", "use small letters"),
        ("t" * 51, "it has 51 characters"),
        ("catalog_of_flats", "begin with 'catalog' as configuration of that kind"),
        ("rents", "There is a pipeline rents already (lettings/src/lettings/pipelines/rents)"),
        ("single", "There is a pipeline single already (lettings/src/lettings/pipelines/single.py)"),
    ],
)
def test_a_name_that_cannot_be_used_leaves_nothing_behind(project: Path, tmp_path: Path, name: str, words: str):
    (project / "src" / "lettings" / "pipelines" / "single.py").touch()
    before = files(tmp_path)
    with pytest.raises(click.ClickException) as refused:
        new_pipeline(project, name)
    assert words in refused.value.message
    assert refused.value.message.endswith("Nothing was written.")
    assert files(tmp_path) == before


def catalog(project: Path, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", CATALOG, str(project)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": str(seed), "RETRAINING_VAR": "/var/made/up"}
    done = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def paths(entry: Any) -> list[str]:
    if isinstance(entry, dict):
        return [path for value in entry.values() for path in paths(value)]
    return [entry] if isinstance(entry, str) and entry.startswith("/var/made/up") else []


def test_every_process_finds_the_data_of_every_pipeline_in_its_own_folder(tmp_path: Path):
    """Kedro merges catalogs in the order of a set, which differs from process to process, before it resolves them."""
    project = copied(tmp_path)
    for name in ("alpha", "zeta"):
        new_pipeline(project, name)
    first, *others = (catalog(project, seed) for seed in (1, 2, 3, 4))
    assert [other == first for other in others] == [True] * 3
    for name in ("alpha", "zeta"):
        own = [path for entry, what in first.items() if entry.startswith(f"{name}_") for path in paths(what)]
        assert len(own) == 5
        assert {path.rpartition("/")[0] for path in own} == {f"/var/made/up/data/{name}/kedro"}
