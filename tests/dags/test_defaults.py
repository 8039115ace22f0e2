"""defaults.env: no usage report leaves the machine, and every process gets its lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import ROOT

LINES = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "defaults.env").read_text(), flags=re.M))

SWITCHES = {
    "kedro": "from kedro_telemetry.plugin import _check_for_telemetry_consent as asked; print(asked(None))",
    "mlflow": "from mlflow.telemetry.utils import is_telemetry_disabled as off; print(not off())",
    # Airflow 3.3 has nothing left that reports; versions that do obey this option.
    "airflow": "from airflow.configuration import conf; print(conf.getboolean('usage_data_collection', 'enabled'))",
}


def reads(library: str, home: Path, settings: dict[str, str]) -> str:
    # Neither CI markers nor this test's own (PYTEST_CURRENT_TEST) may switch anything off in the library's place.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AIRFLOW_HOME": str(home), **settings}
    command = [sys.executable, "-c", SWITCHES[library]]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("library", SWITCHES)
def test_usage_reports_are_off(library: str, tmp_path: Path):
    assert reads(library, tmp_path, LINES) == "False"


@pytest.mark.parametrize("library", ["kedro", "mlflow"])
def test_without_the_switches_they_would_be_on(library: str, tmp_path: Path):
    """So that the test above looks at something."""
    assert reads(library, tmp_path, {}) != "False"


@pytest.mark.parametrize("variable", ["DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "SCARF_ANALYTICS"])
def test_the_general_switches_are_set(variable: str):
    assert LINES[variable] in ("1", "false")


def test_every_line_is_a_setting_or_a_comment():
    text = (ROOT / "defaults.env").read_text()
    others = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(others) == len(LINES)


def test_make_exports_every_line(tmp_path: Path):
    """A variable that is not exported reaches no process."""
    probe = tmp_path / "probe.mk"
    probe.write_text(f"include {ROOT / 'Makefile'}\nprobe:\n\t@env -0\n")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = ["make", "--no-print-directory", "-f", str(probe), "probe", f"VAR={tmp_path / 'var'}"]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    exported = dict(line.partition("=")[::2] for line in done.stdout.split("\0") if line)
    assert {name: exported.get(name) for name in LINES} == LINES
