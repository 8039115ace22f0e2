"""Environments of hosted projects: what they are built of, when they are out of date, and that they are apart."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from tests.fixtures.hosted import Stranger, write_stranger
from tests.fixtures.rents import write_project
from tracked_kedro.cli.environments import environments
from tracked_kedro.errors import PermanentError
from tracked_kedro.hosting.building import RECIPE, build, requirements, state
from tracked_kedro.hosting.facts import NOTE, lock_digest
from tracked_kedro.hosting.project import HostedProject

VERSIONS = """
    import kedro
    import mlflow
    import pandas as pd
    from kedro.pipeline import Pipeline, node


    def make():
        return pd.DataFrame({"a": [1.0, 2.0]})


    def use(table):
        mlflow.log_metric("rows", len(table))
        return {"pandas": pd.__version__, "kedro": kedro.__version__}


    def register_pipelines():
        nodes = [node(make, None, "table", name="make"), node(use, "table", "versions", name="use")]
        return {"__default__": Pipeline(nodes)}
"""


@pytest.fixture
def project(tmp_path: Path, var: Path) -> HostedProject:
    folder = write_stranger(tmp_path / "own", VERSIONS)
    return HostedProject("own", str(folder), environment="own")


def test_a_build_that_fails_keeps_the_environment_from_before(project: HostedProject, monkeypatch: pytest.MonkeyPatch):
    (project.folder / "requirements.txt").write_text("./no-such-file-hunter2.whl\n")
    target = project.environment_folder
    target.mkdir(parents=True)
    (target / NOTE).write_text(json.dumps({"lock_digest": "of before"}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PermanentError, match=r"own: its environment cannot be built: .*no-such-file"):
        build(project)
    assert json.loads((target / NOTE).read_text()) == {"lock_digest": "of before"}
    assert [path.name for path in target.parent.iterdir()] == ["own"]


def test_an_environment_is_missing_older_than_its_lock_or_up_to_date(project: HostedProject):
    assert "no environment of its own yet: make environments NAME=own" in str(state(project))
    project.environment_folder.mkdir(parents=True)
    note = project.environment_folder / NOTE
    note.write_text(json.dumps({"lock_digest": lock_digest(project.folder)}))
    assert "built by an earlier release of these rails: make environments NAME=own" in str(state(project))
    note.write_text(json.dumps({"lock_digest": lock_digest(project.folder), "recipe": RECIPE}))
    assert state(project) is None
    (project.folder / "requirements.txt").write_text("kedro==1.0.0\n")
    assert "its environment is older than requirements.txt: make environments NAME=own" in str(state(project))
    assert state(HostedProject("own", project.project)) is None


def test_the_most_exact_file_says_what_is_installed(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(PermanentError, match="has no list `dependencies`"):
        requirements(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['kedro~=1.0', 'pandas']\n")
    assert requirements(tmp_path) == ["kedro~=1.0", "pandas"]
    (tmp_path / "requirements.txt").write_text("")
    assert requirements(tmp_path) == ["-r", str(tmp_path / "requirements.txt")]
    (tmp_path / "requirements.lock").write_text("")
    assert requirements(tmp_path) == ["-r", str(tmp_path / "requirements.lock")]


def test_make_environments_says_what_is_missing_and_names_a_block_that_is_none(
    tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    deployment = write_project(tmp_path / "deployment" / "kedro_project")
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(deployment))
    assert environments(deployment)
    assert "nothing to build" in capsys.readouterr().out
    block = deployment / "conf" / "base" / "own" / "airflow.yml"
    block.parent.mkdir()
    block.write_text("own: {project: ../own, environment: own}\n")
    write_stranger(tmp_path / "own", VERSIONS)
    assert not environments(deployment, check=True)
    assert "make environments NAME=own" in capsys.readouterr().out
    with pytest.raises(click.ClickException, match=r"No block 'onw' says .*; those that do: own"):
        environments(deployment, "onw")


@pytest.mark.full
@pytest.mark.slow
def test_two_majors_of_pandas_and_two_releases_of_kedro_run_side_by_side(tmp_path: Path, var: Path):
    wanted = {
        "old": "kedro==1.0.0\nkedro-datasets[pandas-csvdataset]\npandas==2.0.3\nnumpy<2\n",
        "new": "kedro==1.7.0\nkedro-datasets[pandas-csvdataset]\npandas>=3\n",
    }
    strangers = {}
    for name, text in wanted.items():
        folder = write_stranger(
            tmp_path / name, VERSIONS, catalog="table: {type: pandas.CSVDataset, filepath: t.csv}\n"
        )
        (folder / "requirements.txt").write_text(text)
        strangers[name] = Stranger.hosted(folder, tmp_path / "data" / name, environment="own")
        build(strangers[name].project)
        assert strangers[name].description().kedro == ("1.0.0" if name == "old" else "1.7.0")
    for name in ("old", "new"):
        strangers[name].task("make")
    found = {name: one.task("use", xcom="versions") for name, one in strangers.items()}
    assert found["old"] == {"pandas": "2.0.3", "kedro": "1.0.0"}
    assert found["new"]["pandas"].startswith("3.") and found["new"]["kedro"] == "1.7.0"
    assert all(one.parent.data.metrics["rows"] == 2 for one in strangers.values())
