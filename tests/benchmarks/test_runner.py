"""`make bench`: a failing benchmark does not stop the others, and is named at the end."""

import subprocess
import sys
from pathlib import Path

from tests.deployment import ROOT

SCRIPTS = {
    "good": "print('a table')\nprint('bench good: 0.04 CPU-s')\n",
    "broken": "import sys\nprint('bench broken: half a figure')\nsys.exit('the store is gone')\n",
    "silent": "print('no figure')\n",
    "last": "print('bench last: 7')\n",
}


def bench(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """What `make bench` calls, with other benchmarks beside it."""
    (folder / "run.py").write_bytes((ROOT / "benchmarks" / "run.py").read_bytes())
    for name, code in SCRIPTS.items():
        (folder / f"{name}.py").write_text(code)
    command = [sys.executable, str(folder / "run.py"), *names]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_every_benchmark_runs_and_the_summary_has_every_figure(tmp_path: Path) -> None:
    done = bench(tmp_path, "good", "broken", "silent", "last")
    summary = done.stdout.partition("=== summary: 4 benchmarks")[2]
    assert "a table" in done.stdout.partition("=== summary")[0]
    assert "the store is gone" in done.stderr
    lines = [line.partition("   [")[0] for line in summary.splitlines()[1:]]
    assert lines == [
        "bench good: 0.04 CPU-s",
        "bench broken: FAILED with exit code 1",
        "bench silent: FAILED: it told no figure",
        "bench last: 7",
    ]
    assert "FAILED: broken, silent" in done.stderr
    assert done.returncode == 1


def test_without_a_failure_the_exit_code_is_zero(tmp_path: Path) -> None:
    assert bench(tmp_path, "good", "last").returncode == 0


def test_an_unknown_benchmark_is_named_before_any_runs(tmp_path: Path) -> None:
    done = bench(tmp_path, "good", "speed")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no benchmark speed" in done.stderr
