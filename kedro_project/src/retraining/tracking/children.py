"""Child runs: one per series, nested under the parent run, found again by tag and never duplicated."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

SERIES_TAG = "series"
FINGERPRINT_TAG = "fingerprint"
FAILURE_TAG = "failure"
_PAGE = 1000


@dataclass(frozen=True)
class ChildRuns:
    """The child runs of one parent."""

    client: MlflowClient
    parent: Run

    def find(self) -> dict[str, Run]:
        """Children by series id, with one search a thousand; the newest where a crash left two."""
        query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.parent.info.run_id}'"
        found: dict[str, Run] = {}
        token = None
        while True:
            page = self.client.search_runs(
                [self.parent.info.experiment_id],
                query,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found |= {run.data.tags[SERIES_TAG]: run for run in page if SERIES_TAG in run.data.tags}
            token = page.token
            if not token:
                return found

    def open(self, series: str, label: str, fingerprint: str, earlier: Run | None) -> str:
        """Id of the child to log to: the earlier one when it is about the same work, else a new one.

        A child made from other data, parameters or code is deleted: its parameters cannot be changed.
        """
        if earlier is not None:
            if earlier.data.tags.get(FINGERPRINT_TAG) == fingerprint:
                self.client.update_run(earlier.info.run_id, status="RUNNING")
                if FAILURE_TAG in earlier.data.tags:
                    self.client.delete_tag(earlier.info.run_id, FAILURE_TAG)
                return earlier.info.run_id
            self.client.delete_run(earlier.info.run_id)
        tags = {
            MLFLOW_PARENT_RUN_ID: self.parent.info.run_id,
            MLFLOW_RUN_NAME: label,
            SERIES_TAG: series,
            FINGERPRINT_TAG: fingerprint,
        }
        run = self.client.create_run(self.parent.info.experiment_id, tags=tags, run_name=label)
        return run.info.run_id
