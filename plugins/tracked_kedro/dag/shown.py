"""What Airflow's pages show of a generated DAG: the stages of its graph, and documentation that leads to MLflow."""

from __future__ import annotations

from dataclasses import dataclass

from airflow.sdk import TaskGroup

from tracked_kedro.addresses import newest_in_mlflow
from tracked_kedro.names import STAGE_PREFIX

_STAGES = {
    "prepare": ("Prepare", "What training needs, and what needs no training"),
    "train": ("Train", "The models"),
    "decide": ("Decide", "What is made of the models: comparison, report, version, promotion"),
}


def stages(*names: str) -> dict[str, TaskGroup]:
    """Task groups of the present DAG: boxes of its graph, which leave the ids of their tasks alone.

        stages("train")["train"].group_id  # stage_train

    Args:
        names: `prepare`, `train`, `decide`, or some of them.
    """
    return {
        name: TaskGroup(f"{STAGE_PREFIX}{name}", group_display_name=title, tooltip=tooltip, prefix_group_id=False)
        for name, (title, tooltip) in _STAGES.items()
        if name in names
    }


@dataclass(frozen=True)
class Docs:
    """Documentation of a DAG and its tasks, with the ways to MLflow.

        Docs("rents", versions=True).of_task("train", "Trains.")

    Attributes:
        dag: its id.
        versions: whether it registers versions of a model.
    """

    dag: str
    versions: bool

    def of_dag(self, text: str) -> str:
        """The DAG's: Markdown from airflow.yml, and the ways."""
        return f"{text.rstrip()}\n\n**The newest run in MLflow:** {self._ways()}\n"

    def of_task(self, task: str, text: str) -> str:
        """A task's: what it does, and its id, by which it is cleared and found in logs."""
        return (
            f"{text}\n\nTask id: `{task}`. Of the newest DAG run: {self._ways()}; "
            "the buttons of a task instance lead to those of its own.\n"
        )

    def _ways(self) -> str:
        pages = {"MLflow run": "", "Report": "report", **({"Model version": "version"} if self.versions else {})}
        return " · ".join(f"[{words}]({newest_in_mlflow(self.dag, page)})" for words, page in pages.items())
