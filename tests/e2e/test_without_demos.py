"""Both demos deleted: the library, its tests and the commands go on working for whoever's pipeline is left."""

from __future__ import annotations

import re

import pytest

from tests.fixtures.clones import Clone, clone

DEMOS = ("climate_brazil", "movie_recommender")
NAME = "taxi_fares"
# Those of the library, of DAGs and of pipelines; operations know none, and whole stacks run the same code.
ALL = "tests/library tests/dags tests/pipelines"
# Those that look at what the project has.
FIRST = "tests/library/kedro_side/test_discovery.py tests/library/dag tests/dags/test_rendering.py tests/pipelines"
# Where a demo may be named although it is gone: what people read about this repository.
MAY_NAME_THEM = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "docs/", "benchmarks/", ".ci/")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The clone with a pipeline of somebody's own in the place of both."""
    made = clone(tmp_path_factory.mktemp("clone"))
    before = made.digests()
    for name in DEMOS:
        done = made.run(f"make delete-pipeline NAME={name}")
        assert done.returncode == 0, done.stdout + done.stderr
    after = made.digests()
    assert {name for name in after if after[name] != before.get(name)} == set(), "another file was edited"
    done = made.run(f"make new-pipeline NAME={NAME} && make dags")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_nothing_of_them_is_left_in_the_folders_that_run(without: Clone):
    left = [name for name in without.digests() if any(demo in name for demo in DEMOS)]
    assert left == []
    assert sorted(path.name for path in (without.root / "dags").glob("*.py")) == [f"{NAME}_dag.py"]


def test_no_other_file_names_them(without: Clone):
    words = re.compile("|".join([*DEMOS, *(name.replace("_", "-") for name in DEMOS)]))
    found = set()
    for path in without.root.rglob("*"):
        name = path.relative_to(without.root).as_posix()
        skipped = name.startswith((".venv", "var/", ".git/", *MAY_NAME_THEM)) or path.suffix in (".lock", ".pyc")
        if path.is_file() and not path.is_symlink() and not skipped:
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            if words.search(text):
                found.add(name)
    assert found == {"tests/e2e/test_without_demos.py"}


def test_style_types_and_arrows_hold(without: Clone):
    done = without.run("make lint")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tests", [FIRST, pytest.param(ALL, marks=pytest.mark.full)], ids=["first", "all"])
def test_the_tests_that_are_left_pass(without: Clone, tests: str):
    done = without.run(f"make test TESTS='{tests}' JOBS=1", timeout=1500)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout)
    assert "failed" not in done.stdout.splitlines()[-1]


def test_the_pipeline_that_is_left_is_retrained(without: Clone):
    done = without.run(f"make retrain DAG={NAME}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "retrain: state=success" in done.stdout
