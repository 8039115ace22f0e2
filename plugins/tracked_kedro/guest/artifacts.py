"""A dataset that `track.artifacts` names, as files among the artifacts of the run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import mlflow

from tracked_kedro.errors import PermanentError


def log_artifact(name: str, dataset: Any, data: Any) -> None:
    """Log what a dataset stores, as it is stored; what is only in memory, in the form that a person can look at.

    Args:
        name: of the dataset; the artifacts lie in a folder of this name.
        dataset: of the catalog.
        data: what was saved.

    Raises:
        PermanentError: it is in memory, and nothing that a file can be made of.
    """
    folder = name.replace("@", ".").replace(":", ".")
    if (found := stored(dataset)) is None:
        _log_value(folder, data)
        return
    filesystem, path = found
    with tempfile.TemporaryDirectory() as local:
        target = Path(local) / Path(path).name
        filesystem.get(path, str(target), recursive=filesystem.isdir(path))
        if target.is_dir():
            mlflow.log_artifacts(str(target), artifact_path=folder)
        else:
            mlflow.log_artifact(str(target), artifact_path=folder)


def stored(dataset: Any) -> tuple[Any, str] | None:
    """File system and path of what a dataset has stored last; None where it keeps no file."""
    import fsspec

    if hasattr(dataset, "_dataset") and not hasattr(dataset, "_path"):
        return stored(dataset._dataset)  # one that is wrapped, as in a CachedDataset
    own = getattr(dataset, "_fs", None) or getattr(dataset, "_filesystem", None)
    get_path = getattr(dataset, "_get_load_path", None)
    path = str(get_path()) if get_path is not None and hasattr(dataset, "_version") else None
    path = path or next((str(found) for key in ("_filepath", "_path") if (found := getattr(dataset, key, None))), None)
    if path is None:
        return None
    if own is not None:
        return own, path
    filesystem, inside = fsspec.core.url_to_fs(path)
    return filesystem, inside


def _log_value(folder: str, data: Any) -> None:
    if isinstance(data, str):
        mlflow.log_text(data, f"{folder}/{folder}.txt")
    elif hasattr(data, "savefig"):
        mlflow.log_figure(data, f"{folder}/{folder}.png")
    elif hasattr(data, "write_html"):
        mlflow.log_text(data.to_html(), f"{folder}/{folder}.html")
    elif isinstance(data, (dict, list)):
        mlflow.log_text(json.dumps(data, indent=1, default=str), f"{folder}/{folder}.json")
    elif hasattr(data, "to_csv"):
        mlflow.log_text(data.to_csv(), f"{folder}/{folder}.csv")
    else:
        raise PermanentError(
            f"track.artifacts: dataset {folder} is a {type(data).__name__} in memory, of which no file can be made; "
            "give it an entry in the project's catalog"
        )
