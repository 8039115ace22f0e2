"""The library as others install it: a wheel with everything that it reads, and its entry points."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deployment import ROOT

DATA = {".j2", ".html", ".js", ".css", ".yml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy: building leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "plugins", folder / "plugins", ignore=ignored)
    command = ["uv", "build", "--wheel", "--no-build-isolation", "--offline", "--python", sys.executable]
    done = subprocess.run([*command, "--out-dir", str(folder), str(folder / "plugins")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return zipfile.ZipFile(made)


def test_it_holds_all_modules_and_whatever_they_read(wheel: zipfile.ZipFile):
    wanted = {
        path.relative_to(ROOT / "plugins").as_posix()
        for path in (ROOT / "plugins" / "tracked_kedro").rglob("*")
        if path.is_file() and (path.suffix == ".py" or path.suffix in DATA)
    }
    assert len(wanted) > 100
    assert {name for name in wheel.namelist() if name.startswith("tracked_kedro/")} >= wanted


def test_it_brings_no_project_and_no_operations(wheel: zipfile.ZipFile):
    assert {Path(name).parts[0].partition("-")[0] for name in wheel.namelist()} == {"tracked_kedro"}


def test_airflow_and_kedro_find_it(wheel: zipfile.ZipFile):
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(name).decode()
    assert all(f"[{group}]" in text for group in ("airflow.plugins", "kedro.hooks", "kedro.project_commands"))


def test_the_two_sides_are_separate_extras(wheel: zipfile.ZipFile):
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    required = [line for line in wheel.read(name).decode().splitlines() if line.startswith("Requires-Dist: ")]
    everywhere = {line.split()[1].split(">")[0] for line in required if "extra ==" not in line}
    assert everywhere == {"click", "pydantic"}
    airflow, kedro = ([line for line in required if f'extra == "{side}"' in line] for side in ("airflow", "kedro"))
    assert any("apache-airflow" in line for line in airflow)
    assert any("kedro-mlflow" in line for line in kedro)
    assert not any("airflow" in line.removesuffix('extra == "kedro"') for line in kedro)
