"""`make add-project` and `make remove-project`: from a folder, a repository and a wheel, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import zipfile
from pathlib import Path

import click
import pytest
import yaml

from tests.fixtures.hosted import write_stranger
from tests.fixtures.rents import write_project
from tracked_kedro.cli.projects import add_project, remove_project

REGISTRY = """
    from kedro.pipeline import Pipeline, node


    def train(table):
        return {"slope": 1.0}


    def score(regressor):
        return {"r2": 0.5}


    def register_pipelines():
        nodes = [node(train, "table", "regressor", name="train"), node(score, "regressor", "scores", name="score")]
        return {"__default__": Pipeline(nodes)}
"""
CATALOG = """
    table: {type: json.JSONDataset, filepath: data/01_raw/table.json}
    regressor: {type: pickle.PickleDataset, filepath: data/regressor.pickle}
"""


@pytest.fixture
def deployment(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Kedro project of a deployment that hosts nothing yet."""
    project = write_project(tmp_path / "deployment" / "kedro_project")
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(project))
    return project


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_folder_is_taken_where_it_is(tmp_path: Path, deployment: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_stranger(tmp_path / "flats", REGISTRY, catalog=CATALOG)
    before = digests(folder)
    file = add_project(deployment, str(folder), "flats")
    said = capsys.readouterr().out
    assert digests(folder) == before
    assert yaml.safe_load(file.read_text()) == {
        "flats": {
            "project": "../flats",
            "track": {"metrics": ["scores"], "model": {"dataset": "regressor", "name": "flats-regressor"}},
        }
    }
    assert f"missing: table: put data/01_raw/table.json into {folder}" in said
    assert "make dags && make retrain DAG=flats" in said
    with pytest.raises(click.ClickException, match="there is a DAG flats already"):
        add_project(deployment, str(folder), "flats")
    assert remove_project(deployment, "flats") == [file.parent]
    assert digests(folder) == before
    with pytest.raises(click.ClickException, match="no hosted project 'flats'; there are: none"):
        remove_project(deployment, "flats")


def test_a_repository_is_cloned_and_goes_with_its_block(tmp_path: Path, deployment: Path):
    folder = write_stranger(tmp_path / "source", REGISTRY, catalog=CATALOG)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    add_project(deployment, folder.as_uri(), "cloned")
    brought = deployment.parent / "projects" / "cloned"
    assert (brought / "pyproject.toml").is_file()
    assert brought in remove_project(deployment, "cloned")
    assert not brought.exists()


def test_a_wheel_is_unpacked_with_the_configuration_beside_it(tmp_path: Path, deployment: Path):
    folder = write_stranger(tmp_path / "source", REGISTRY, package="packed", catalog=CATALOG)
    wheel = tmp_path / "packed-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in (folder / "src").rglob("*.py"):
            archive.write(path, path.relative_to(folder / "src"))
        archive.writestr("packed-0.1.dist-info/METADATA", "Name: packed\nVersion: 0.1\nRequires-Dist: kedro~=1.0\n")
    with pytest.raises(click.ClickException, match=r"conf-packed\.tar\.gz is missing"):
        add_project(deployment, str(wheel))
    assert not (deployment.parent / "projects" / "packed").exists()
    with tarfile.open(tmp_path / "conf-packed.tar.gz", "w:gz") as conf:
        conf.add(folder / "conf", "conf")
    file = add_project(deployment, str(wheel))
    assert yaml.safe_load(file.read_text())["packed"]["project"] == "projects/packed"
    assert "kedro~=1.0" in (deployment.parent / "projects" / "packed" / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "make add-project FROM="),
        ("no/such/folder", "no such folder"),
        ("https://x-token:hunter2hunter2@git.example/a.git", "must not hold a user, a password"),
        ("file:///no/such/repository.git", "cannot be cloned"),
        ("no-such-0.1-py3-none-any.whl", "no such file"),
    ],
)
def test_what_cannot_be_brought_is_refused_and_leaves_nothing(deployment: Path, source: str, words: str):
    before = digests(deployment.parent)
    with pytest.raises(click.ClickException, match=words) as refused:
        add_project(deployment, source)
    assert "hunter2" not in refused.value.message
    assert digests(deployment.parent) == before


@pytest.mark.parametrize("where", ["in the registry", "in a module that Kedro looks for"])
def test_a_library_that_is_missing_here_asks_for_an_environment(
    tmp_path: Path, deployment: Path, capsys: pytest.CaptureFixture[str], where: str
):
    if where == "in the registry":
        registry = f"import not_installed_here\n{REGISTRY}".replace("\n    ", "\n")
        folder = write_stranger(tmp_path / "heavy", registry)
    else:
        # As the starters have it; the error names the module, and only its cause the library.
        finds = "from kedro.framework.project import find_pipelines\n\n\n"
        finds += "def register_pipelines():\n    return find_pipelines(raise_errors=True)\n"
        folder = write_stranger(tmp_path / "heavy", finds)
        package = folder / "src" / "guestbook" / "pipelines" / "reporting"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").write_text("")
        (package / "__init__.py").write_text("import not_installed_here.plots\n")
    file = add_project(deployment, str(folder), "heavy")
    assert yaml.safe_load(file.read_text()) == {"heavy": {"project": "../heavy", "environment": "own"}}
    said = capsys.readouterr().out
    assert "the library not_installed_here is missing" in said
    assert "make environments NAME=heavy && make dags" in said
