"""Locks hold between processes and go with them."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from tracked_kedro.cli.locks import is_held, only_one


def test_lock_is_held_while_the_body_runs_and_no_longer(var: Path) -> None:
    assert not is_held("ui")
    with only_one("ui", "wait"):
        assert is_held("ui")
        with pytest.raises(click.ClickException, match=r"`make ui` is running in .*; wait"), only_one("ui", "wait"):
            pass
    assert not is_held("ui")


def test_lock_of_a_killed_process_is_free(var: Path) -> None:
    code = "import os\nfrom tracked_kedro.cli.locks import only_one\nwith only_one('ui', ''): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert not is_held("ui")
