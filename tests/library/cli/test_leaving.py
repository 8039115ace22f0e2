"""A command ends at once, with its own exit code, and after all exit functions and threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from tracked_kedro.cli.leaving import without_teardown

class Slow:
    def __del__(self):
        print("torn down")

with without_teardown():
    kept = sys.modules["kept"] = Slow()
    atexit.register(print, "exit function")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    {ending}
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [("pass", 0), ("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('words')", 1), ("raise KeyError('x')", 1)],
)
def test_exit_code_threads_and_exit_functions(ending: str, code: int):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(ending=ending)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert done.stdout.split("\n")[:-1] == ["thread", "exit function"]
    if "KeyError" in ending:
        assert "KeyError: 'x'" in done.stderr
