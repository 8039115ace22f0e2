"""Files that every run of a DAG would write to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.rendering.shared_paths import between_tasks

PIPELINE = Pipeline(
    [node(lambda x: x, "raw", "table", name="split"), node(lambda x: x, "table", "model", name="train")]
)


def notes(table: str, group_by: str = "node") -> list[str]:
    entry = {"type": "json.JSONDataset"}
    catalog = DataCatalog.from_config(
        {
            "raw": {**entry, "filepath": "data/01_raw/raw.json"},
            "table": {**entry, "filepath": table},
            "model": {**entry, "filepath": "data/06_models/model.json"},
        }
    )
    block: Any = SimpleNamespace(group_by=group_by)
    return list(between_tasks({"rents": block}, {"rents": PIPELINE}, catalog, "one"))


@pytest.mark.parametrize("root", ["", "s3://bucket/runs"])
def test_what_crosses_tasks_belongs_to_its_run(var: Path, monkeypatch: pytest.MonkeyPatch, root: str):
    if root:
        monkeypatch.setenv("RETRAINING_DATA", root)
    (note,) = notes("data/02_intermediate/table.json")
    assert note.startswith("rents: dataset table goes from task to task by data/02_intermediate/table.json")
    assert '"${run_folder:rents,${runtime_params:run_key,null}}/…" in its entry' in note
    assert notes(f"{run_folder('rents', 'one')}/table.json") == []
