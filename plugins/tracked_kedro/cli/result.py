"""The result of a DAG run as MLflow knows it, for the end of `make retrain`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tracked_kedro.names import MODEL_VERSION_TAG, PROMOTION_TAG

SUMMARY = "report/summary.txt"


@dataclass(frozen=True)
class Result:
    """State of a DAG run, its parent run, and what the parent says of its series."""

    state: str
    run_id: str | None
    summary: str
    counts: dict[str, int]
    version: str = ""

    @classmethod
    def of(cls, state: str, run_id: str | None) -> Result:
        """Read the summary and the counts that the parent run holds, as far as the DAG run came."""
        if run_id is None:
            return cls(state, None, "", {})
        data = MlflowClient().get_run(run_id).data
        metrics, tags = data.metrics, data.tags
        counted = {"series": "n_series", "finished": "n_finished", "failed": "n_failed"}
        counts = {key: int(metrics[name]) for key, name in counted.items() if name in metrics}
        try:
            summary = mlflow.artifacts.load_text(f"runs:/{run_id}/{SUMMARY}")
        except (MlflowException, OSError):
            summary = ""
        version = tags.get(MODEL_VERSION_TAG, "")
        version = f"{version}: {tags.get(PROMOTION_TAG, 'no decision')}" if version else ""
        return cls(state, run_id, summary, counts, version)

    def text(self, log_file: Path) -> str:
        """What was made, and where to look next."""
        where = [
            f"Log of the whole run: {log_file}",
            "Look at it in the browser: make ui",
        ]
        found = [text for text in (self.summary, self.version) if text]
        return "\n".join(["", *(line for text in found for line in (text, "")), *where, ""])

    def last_line(self) -> str:
        """The result for machines."""
        counts = "".join(f" {key}={value}" for key, value in self.counts.items())
        uri = mlflow.get_tracking_uri()
        return f"retrain: state={self.state} parent_run_id={self.run_id or 'none'} tracking_uri={uri}{counts}"
