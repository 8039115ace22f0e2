"""Deployments for benchmarks: a folder of its own, simulated series, the environment that the Makefile gives."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from operations.native.airflow import USER
from operations.native.api import AirflowApi
from operations.native.stack import Stack
from retraining.pipelines.climate_brazil.stations.sample import write_sample

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "kedro_project"
DATA = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data")
# Of a stack in which only the benchmark starts DAG runs.
UNSCHEDULED = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}


@dataclass(frozen=True)
class Deployment:
    """A folder with everything that runs write, and the environment of processes that work in it."""

    folder: Path
    project: Path
    tracking: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What the Makefile sets, with this folder in the place of var/."""
        var = self.folder / "var"
        shared = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "defaults.env").read_text(), flags=re.M))
        # Python writes compiled modules, whatever this shell says: tasks find them, as in the image.
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "MLFLOW", "RETRAINING", "KEDRO", "PYTHONDONTWRITEBYTECODE"))
        }
        return {
            **inherited,
            **shared,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RETRAINING_VAR": str(var),
            # Files that benchmarks make, and the real ones.
            "ALLOWED_SOURCES": json.dumps([str(self.folder), tempfile.gettempdir(), str(DATA)]),
            "AIRFLOW_HOME": str(var / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "KEDRO_PROJECT_PATH": str(self.project),
            "KEDRO_LOGGING_CONFIG": str(ROOT / "plugins" / "tracked_kedro" / "kedro_side" / "logging_airflow.yml"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{var}/mlflow/mlflow.db",
            "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'kedro_project' / 'src'}",
            **self.tracking,
        }

    def prepare(self) -> None:
        """Make Airflow's tables."""
        (self.folder / "var" / "mlflow").mkdir(parents=True, exist_ok=True)
        command = ["airflow", "db", "migrate"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=180)
        (self.folder / "var" / "airflow" / "airflow.cfg").unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that Postgres, which does not run as root, may reach into; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def simulated_project(folder: Path, series: int, artifacts: list[str] | None = None) -> Path:
    """A copy of the Kedro project's configuration over so many simulated series; the code is the checkout's."""
    project = folder / "kedro_project"
    for part in ("conf", "templates"):
        shutil.copytree(PROJECT / part, project / part)
    shutil.copy(PROJECT / "pyproject.toml", project)
    (project / "src").mkdir()
    entries = {
        f"s{number:05d}": {"label": f"Station {number}", "file": f"station_s{number:05d}.csv"}
        for number in range(series)
    }
    write_sample(folder / "stations", entries)
    lines = ["series,label,file", *(f"{series},{entry['label']},{entry['file']}" for series, entry in entries.items())]
    table = project / "conf" / "base" / "climate_brazil" / "series.csv"
    table.write_text("\n".join(lines) + "\n")
    # A relative address of the table would start at the project that the code belongs to, which is the checkout.
    values = {"climate_brazil_stations": str(folder / "stations"), "climate_brazil_series": str(table)}
    _change(project / "conf" / "base" / "climate_brazil" / "globals.yml", **values)
    if artifacts is not None:
        parameters = project / "conf" / "base" / "climate_brazil" / "parameters.yml"
        text = re.sub(
            r"^  series_artifacts: .*$",
            f"  series_artifacts: [{', '.join(artifacts)}]",
            parameters.read_text(),
            flags=re.M,
        )
        parameters.write_text(text)
    return project


def rendered_dags(deployment: Deployment) -> Path:
    """What `make dags` makes of the deployment's project, in its folder."""
    target = deployment.folder / "dags"
    command = [sys.executable, "-m", "tracked_kedro", "render-dags", "--target", str(target)]
    done = subprocess.run(command, env=deployment.environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"the DAGs cannot be rendered:\n{done.stderr[-3000:]}")
    return target


def airflow_api(stack: Stack) -> AirflowApi:
    """A client of the stack's Airflow, as its administrator."""
    return AirflowApi(stack.airflow.address, USER, stack.stores.secrets.airflow_admin)


def _change(file: Path, **values: object) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **values}, allow_unicode=True, sort_keys=False))


def bytes_under(folder: Path) -> int:
    """Size of all files under a folder; others may write there meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
