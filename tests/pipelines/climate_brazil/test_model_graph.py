"""The model graph is drawn where Graphviz works, and its absence or failure is said, not raised."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil.figures.model_graph import model_graph_picture


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
