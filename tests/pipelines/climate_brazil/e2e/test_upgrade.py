"""A deployment with data from before the library and its pipelines were parted goes on with today's code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.fixtures.clones import Clone, clone
from tests.fixtures.releases import BEFORE_THE_MOVE, release

pytestmark = [pytest.mark.slow, pytest.mark.full]


def _said(store: Clone, command: str) -> str:
    done = store.run(command, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Today's code in the folder where a month was trained by the earlier release."""
    folder = tmp_path_factory.mktemp("deployment")
    before = release(BEFORE_THE_MOVE, folder)
    assert "climate-brazil/1: promoted" in _said(before, "make retrain CUTOFF=2019-09-01")
    for path in folder.iterdir():
        if path.name != "var":
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
    return clone(folder)


def test_the_earlier_champion_serves_is_compared_with_and_comes_back(upgraded: Clone):
    assert re.search(r"^ +1 +2019-09-01 +\w+ +\S.*champion$", _said(upgraded, "make models"), re.MULTILINE)
    assert "batch_forecasts.parquet" in _said(upgraded, "make forecast")

    # By rules that look at what both have in common: it was read, and its forecasts were scored.
    month = _said(upgraded, "make retrain CUTOFF=2019-10-01")
    assert "finished=12 failed=0" in month
    [decision] = [line for line in month.splitlines() if line.startswith("climate-brazil/2: ")]
    assert re.fullmatch(r"climate-brazil/2: promoted: all \d+ rules that apply are met", decision)
    versions = _said(upgraded, "make models")
    assert re.search(r"^ +2 +2019-10-01 .*champion$", versions, re.MULTILINE)
    assert "none → version 1" in versions
    assert "version 1 → version 2" in versions

    _said(upgraded, "make rollback WHY=upgrade")
    assert re.search(r"^ +1 +2019-09-01 .*champion$", _said(upgraded, "make models"), re.MULTILINE)
    assert "batch_forecasts.parquet" in _said(upgraded, "make forecast MODEL=climate-brazil/1")
