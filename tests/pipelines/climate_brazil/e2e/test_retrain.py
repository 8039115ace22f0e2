"""`make retrain` as a person and a machine see it: the screen, the exit code, the last line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LAST_LINE = re.compile(
    r"retrain: state=(?P<state>\w+) parent_run_id=(?P<run>[0-9a-f]{32}) tracking_uri=(?P<uri>\S+)"
    r" series=(?P<series>\d+) finished=(?P<finished>\d+) failed=(?P<failed>\d+)"
)


def retrain(deployment, *settings: str) -> subprocess.CompletedProcess[str]:
    options = [part for setting in ("audit_series=0", *settings) for part in ("--set", setting)]
    return subprocess.run(
        [sys.executable, "-m", "tracked_kedro", "retrain", "--dag", "climate_brazil", *options],
        env=deployment.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def good(new_deployment: Callable, stations: Path):
    deployment = new_deployment()
    return deployment, retrain(deployment, f"stations={stations}", "series=belem,rio")


def test_last_line_tells_a_machine_what_happened(good) -> None:
    deployment, done = good
    assert done.returncode == 0, done.stdout + done.stderr
    told = LAST_LINE.fullmatch(done.stdout.rstrip().splitlines()[-1])
    assert told, done.stdout
    assert (told["state"], told["series"], told["finished"], told["failed"]) == ("success", "2", "2", "0")
    assert deployment.client.get_run(told["run"]).info.status == "FINISHED"
    assert told["uri"] == deployment.environment["MLFLOW_TRACKING_URI"]


def test_screen_shows_cutoff_progress_table_and_where_to_look(good) -> None:
    _, done = good
    assert "Cutoff 2019-11-01: the month after the newest observation" in done.stdout
    assert re.search(r"^ +\d+\.\d s  task \d+ of 19  process_datasets$", done.stdout, re.M)
    assert re.search(r"^Belém +\d+ +\d\.\d{3} ", done.stdout, re.M)
    assert "make ui" in done.stdout
    log = Path(re.search(r"Log of the whole run: (\S+)", done.stdout).group(1))
    assert "starting task_id=close_run" in log.read_text()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("series=atlantis", r"series: there is no 'atlantis'; known are belem, "),
        ("cutoff=2018-01-15", r"2018-01-15 is not the first day of a month; write 2018-01-01"),
        ("cutoff=1900-01-01", r"cutoff 1900-01-01"),
        ("cutoff=2999-01-01", r"cutoff 2999-01-01 .*future"),
        ("n_ahead=601", r"n_ahead: 601 is greater than the maximum of 600"),
        ("method=magic", r"method: 'magic' is none of marginal, nuts"),
        ("speed=11", r"'speed=11' is not NAME=VALUE with a NAME among series, "),
    ],
)
def test_impossible_settings_are_refused_before_a_run_begins(
    new_deployment: Callable, stations: Path, setting: str, message: str
) -> None:
    deployment = new_deployment()
    done = retrain(deployment, f"stations={stations}", setting)
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not deployment.parents()


def test_folder_without_stations_is_refused(new_deployment: Callable, tmp_path: Path) -> None:
    done = retrain(new_deployment(), f"stations={tmp_path}")
    assert done.returncode == 1
    assert "no station files" in done.stderr


def test_second_retraining_at_once_is_refused(new_deployment: Callable, stations: Path) -> None:
    deployment = new_deployment()
    held = "from tracked_kedro.cli.locks import only_one; import time\nwith only_one('retrain', ''): time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", held], env=deployment.environment) as holder:
        lock = deployment.var / "retrain.lock"
        while not lock.exists():
            assert holder.poll() is None
        try:
            done = retrain(deployment, f"stations={stations}")
        finally:
            holder.kill()
    assert done.returncode == 1
    assert "`make retrain` is running" in done.stderr
