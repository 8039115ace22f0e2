"""A pipeline of 500 nodes: what it costs to render, and to parse."""

from __future__ import annotations

import json
import resource
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import ROOT

PARSED = """
import json, runpy, sys, time
begin = time.process_time()
import airflow.sdk
imported = time.process_time()
runpy.run_path(sys.argv[1])
print(json.dumps([imported - begin, time.process_time() - imported]))
"""
# What importing airflow.sdk takes on an idle machine like the one that the aims were set on.
USUAL = 1.5


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> tuple[Path, float]:
    """The DAG file, and the CPU seconds of rendering it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        benchmark = runpy.run_path(str(ROOT / "benchmarks" / "dag_import.py"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    file, _ = benchmark["large_dag"](tmp_path_factory.mktemp("large"), environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return file, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def parsed(file: Path, environment: dict[str, str]) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", PARSED, str(file)], env=environment, capture_output=True, timeout=300)
    base, own = json.loads(done.stdout.splitlines()[-1])
    return base, own


def test_each_node_is_a_task(large: tuple[Path, float]):
    assert large[0].read_text().count("tasks.RunNodes(") == 500


def test_it_is_rendered_in_less_than_ten_seconds(large: tuple[Path, float], environment: dict[str, str]):
    base, _ = parsed(large[0], environment)
    assert large[1] < 10 * max(1, base / USUAL)


def test_no_tracking_store_is_asked(large: tuple[Path, float], environment: dict[str, str]):
    # Making its tables alone took a fifth of the rendering.
    assert not Path(environment["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).exists()
    assert not list(large[0].parents[1].rglob("mlflow.db"))


def test_it_is_parsed_in_less_than_a_fifth_of_a_second_beyond_the_sdk(large: tuple[Path, float], environment: dict):
    measured = [parsed(large[0], environment) for _ in range(4)]
    # A neighbour on the machine makes both slower; the best of a few tries is the file's own cost.
    assert min(own / max(1, base / USUAL) for base, own in measured) < 0.2, measured
