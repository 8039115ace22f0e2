"""The model graph is drawn where Graphviz works, and its absence or failure is said, not raised."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil import run_nodes
from retraining.pipelines.climate_brazil.figures.model_graph import model_graph_picture
from retraining.pipelines.climate_brazil.structural import ModelConfig


class TestModelGraphPicture:
    def fake_dot(self, folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
        dot = folder / "dot"
        dot.write_text(f"#!/bin/sh\n{script}\n")
        dot.chmod(dot.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def test_is_what_dot_makes_of_the_source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake_dot(tmp_path, 'echo "$1:"; cat', monkeypatch)
        assert model_graph_picture("digraph { β -> y }") == "-Tsvg:\ndigraph { β -> y }"

    def test_is_none_without_graphviz(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert model_graph_picture("digraph { a -> b }") is None

    def test_is_none_with_a_reason_where_dot_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.fake_dot(tmp_path, "echo 'syntax error in line 1' >&2; exit 1", monkeypatch)
        assert model_graph_picture("digraph {") is None
        assert "syntax error in line 1" in caplog.text

    @pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
    def test_real_graphviz_draws_every_node(self) -> None:
        picture = model_graph_picture("digraph { sigma -> y }")
        assert picture is not None
        assert "<svg" in picture
        assert "sigma" in picture


class TestDrawnOnce:
    """The node that keeps graphs for later runs. PyMC, seconds to import, is for a new graph alone."""

    @pytest.fixture(autouse=True)
    def engine(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What the model was asked to be written as, in the place of PyMC's own words."""
        asked: list[str] = []

        def text(model: ModelConfig, format: str) -> str:
            asked.append(format)
            return f"{format} of {model.transform}"

        monkeypatch.setattr(run_nodes, "model_graph", text)
        return asked

    @staticmethod
    def loaders(graphs: dict[str, str]) -> dict:
        return {name: lambda text=text: text for name, text in graphs.items()}

    @pytest.mark.parametrize("has_dot", [True, False])
    def test_the_next_run_of_the_same_model_takes_it(
        self, has_dot: bool, engine: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_nodes, "can_draw", lambda: has_dot)
        monkeypatch.setattr(run_nodes, "model_graph_picture", lambda source: f"<svg>{source}</svg>")
        first, new = run_nodes.draw_model_graph(ModelConfig(), {})
        again, nothing = run_nodes.draw_model_graph(ModelConfig(), self.loaders(new))
        assert (again, nothing) == (first, {})
        assert set(first) == {"model_graph.svg" if has_dot else "model_graph.mmd"}
        assert engine == ["dot" if has_dot else "mermaid"]

    def test_another_configuration_or_code_is_another_graph(
        self, engine: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_nodes, "can_draw", lambda: False)
        kept = dict(run_nodes.draw_model_graph(ModelConfig(), {})[1])
        kept |= run_nodes.draw_model_graph(ModelConfig(transform="log"), self.loaders(kept))[1]
        assert len(kept) == 2
        monkeypatch.setattr(run_nodes, "code_version", lambda package: "another")
        assert run_nodes.draw_model_graph(ModelConfig(), self.loaders(kept))[1]
        assert len(engine) == 3

    def test_text_is_drawn_once_graphviz_is_there(self, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
        monkeypatch.setattr(run_nodes, "can_draw", lambda: False)
        with caplog.at_level(logging.WARNING):
            new = run_nodes.draw_model_graph(ModelConfig(), {})[1]
            run_nodes.draw_model_graph(ModelConfig(), self.loaders(new))
        # A line a run, that it is text and what mends it.
        assert caplog.text.count("apt-get install graphviz") == 2
        monkeypatch.setattr(run_nodes, "can_draw", lambda: True)
        monkeypatch.setattr(run_nodes, "model_graph_picture", lambda source: "<svg/>")
        assert run_nodes.draw_model_graph(ModelConfig(), self.loaders(new))[0] == {"model_graph.svg": "<svg/>"}

    def test_where_dot_fails_the_text_is_shown_and_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_nodes, "can_draw", lambda: True)
        monkeypatch.setattr(run_nodes, "model_graph_picture", lambda source: None)
        shown, new = run_nodes.draw_model_graph(ModelConfig(), {})
        assert list(shown) == ["model_graph.mmd"]
        assert len(new) == 1


def test_a_kept_graph_is_shown_without_pymc(tmp_path: Path) -> None:
    code = """
import sys
from retraining.pipelines.climate_brazil import run_nodes
from retraining.pipelines.climate_brazil.structural import ModelConfig
class Kept(dict):
    def __contains__(self, name):
        return True
    def __missing__(self, name):
        return lambda: "kept"
assert run_nodes.draw_model_graph(ModelConfig(), Kept()) == ({"model_graph.svg": "kept"}, {})
assert not {"pymc", "pytensor", "arviz"} & set(sys.modules), "PyMC was imported"
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
