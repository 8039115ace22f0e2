"""The code version changes with what decides a pipeline's results, and with nothing else."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tracked_kedro.kedro_side import code_version as module

COMMENT = "\n# Nothing but a comment.\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a project of two pipelines, operations beside it, and a copy of this library's sources."""
    for name in (
        "barley/nodes.py",
        "barley/crop/yields.py",
        "barley/crop/__init__.py",
        "barley/__init__.py",
        "oats.py",
    ):
        path = tmp_path / "grains" / "pipelines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("A = 1\n")
    (tmp_path / "grains" / "settings.py").write_text("A = 1\n")
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / "doctor.py").write_text("A = 1\n")
    source = Path(module.__file__).parents[1]
    monkeypatch.setattr(module, "_LIBRARY", tmp_path / "library")
    shutil.copytree(source, tmp_path / "library", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "grains"]:
        del sys.modules[name]


@pytest.fixture
def version(house: Path) -> Callable[[], str]:
    """Computed anew: a process computes it once."""
    return lambda: module.code_version.__wrapped__("grains.pipelines.barley")


@pytest.mark.parametrize(
    "file",
    [
        "operations/doctor.py",
        "grains/settings.py",
        "grains/pipelines/oats.py",
        "library/dag/tasks.py",
        "library/web/plugin.py",
        "library/cli/retrain.py",
        "library/rendering/preflight.py",
        "library/parent_run/runs.py",
        "library/child_runs/datasets.py",
        "library/promotion/decision.py",
        "library/serving/packaging.py",
        "library/kedro_side/hooks.py",
        "library/kedro_side/tracking_hook.py",
        "library/errors.py",
    ],
)
def test_a_comment_elsewhere_changes_nothing(house: Path, version, file: str) -> None:
    before = version()
    with (house / file).open("r+") as source:
        assert source.read()
        source.write(COMMENT)
    assert version() == before


@pytest.mark.parametrize(
    "file",
    [
        "grains/pipelines/barley/nodes.py",
        "grains/pipelines/barley/crop/yields.py",
        "library/kedro_side/partitions.py",
        "library/kedro_side/raw_inputs.py",
        "library/month.py",
    ],
)
def test_a_change_of_what_decides_changes_it(house: Path, version, file: str) -> None:
    before = version()
    with (house / file).open("r+") as source:
        assert source.read()
        source.write("\nB = 2\n")
    assert version() != before


def test_a_module_that_is_renamed_or_comes_new_changes_it(house: Path, version) -> None:
    folder = house / "grains" / "pipelines" / "barley"
    seen = [version()]
    (folder / "nodes.py").rename(folder / "steps.py")
    seen.append(version())
    (folder / "crop" / "prices.py").write_text("")
    seen.append(version())
    assert len(set(seen)) == 3


def test_every_part_that_is_said_to_decide_is_there() -> None:
    assert [part for part in module._DECIDING if not (module._LIBRARY / part).is_file()] == []


@pytest.mark.parametrize("name", ["grains.pipelines.wheat", "grains.pipelines.oats"])
def test_what_is_no_package_is_named(house: Path, name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"{name} is no package"):
        module.code_version(name)
