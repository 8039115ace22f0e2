"""Packages that make no pipeline are refused by file, line and remedy, whoever asks for the pipelines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retraining import pipeline_registry, pipelines
from retraining.pipeline_registry import PipelineError, register_pipelines

STEPS = """
from kedro.pipeline import node, pipeline


def create_pipeline():
    return pipeline([{steps}])
"""
CIRCLE = 'node(len, "x", "y", name="a"), node(len, "y", "x", name="b")'
TWINS = 'node(len, "x", "y", name="a"), node(len, "y", "z", name="a")'
RIVALS = 'node(len, "x", "y", name="a"), node(len, "x", "y", name="b")'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A function that adds a package `made_up` with this text."""

    def add(text: str) -> None:
        (tmp_path / "pipelines" / "made_up").mkdir(parents=True)
        (tmp_path / "pipelines" / "made_up" / "__init__.py").write_text(text)
        monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path / "pipelines")])

    yield add
    sys.modules.pop("retraining.pipelines.made_up", None)
    vars(pipelines).pop("made_up", None)


@pytest.mark.parametrize(
    ("text", "place", "said", "remedy"),
    [
        (STEPS.format(steps=CIRCLE), ", line 6: ", "Circular dependencies exist", "make another dataset"),
        (STEPS.format(steps=TWINS), ", line 6: ", "must have unique names", "correct it there"),
        (STEPS.format(steps=RIVALS), ", line 6: ", r"Output\(s\) \['y'\] are returned", "another output"),
        ("import nowhere\n", ", line 1: ", "No module named 'nowhere'", "correct the import"),
        ("def create_pipeline(:\n", ", line 1: ", "SyntaxError: invalid syntax", "correct it there"),
    ],
    ids=["circle", "twins", "rivals", "import", "syntax"],
)
def test_each_is_told_with_its_place_and_the_remedy(
    package: Callable, text: str, place: str, said: str, remedy: str
) -> None:
    package(text)
    with pytest.raises(PipelineError, match=rf"^pipelines/made_up/__init__\.py{place}.*{said}.*; .*{remedy}") as raised:
        register_pipelines()
    assert "\n" not in str(raised.value)


def test_a_function_that_returns_none(package: Callable) -> None:
    package("def create_pipeline():\n    return None\n")
    with pytest.raises(PipelineError, match=r"^pipelines/made_up: create_pipeline returned NoneType; it must return"):
        register_pipelines()


def test_a_package_without_the_function_is_no_pipeline(package: Callable) -> None:
    package("")
    assert "made_up" not in pipeline_registry.register_pipelines()
