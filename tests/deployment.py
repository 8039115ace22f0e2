"""The environment of a deployment, as the Makefile gives it to every process."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")


def allowed_sources() -> str:
    """Tests hand over files of their own, and servers on loopback, as whoever owns a machine may."""
    data = os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data"
    return json.dumps([tempfile.gettempdir(), str(data), "http://127.0.0.1:*"])


def deployment_environment(var: Path) -> dict[str, str]:
    """The environment that the Makefile gives to every process, with everything written under `var`."""
    shared = re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "defaults.env").read_text(), flags=re.M)
    return {
        **dict(shared),
        "ALLOWED_SOURCES": allowed_sources(),
        "RETRAINING_VAR": str(var),
        "AIRFLOW_HOME": str(var / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{var}/mlflow/mlflow.db",
    }
