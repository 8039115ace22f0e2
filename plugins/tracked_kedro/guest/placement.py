"""Where a hosted project's data lies: what its nodes make goes to the folder of this DAG run, and no file is edited.

Pure functions of the catalog's configuration, so that any class of dataset is moved, also one of the project's own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from tracked_kedro.guest.handover import base

# Keys that Kedro itself takes for paths, and makes absolute.
_PATH_KEYS = ("filename", "filepath", "path")


def placed(
    catalog: Mapping[str, Any], resolved: Mapping[str, Mapping[str, Any]], outputs: Iterable[str], folder: str
) -> dict[str, Any]:
    """The catalog's configuration with the paths of this run.

    Args:
        catalog: as the project's configuration loader has it, with patterns.
        resolved: each dataset of the pipeline that has an entry or a pattern, by name.
        outputs: datasets that some node of the whole pipeline makes, and others that read these files.
        folder: of this DAG run's data, or its address.

    >>> table = {"type": "pandas.CSVDataset", "filepath": "data/02/a.csv"}
    >>> placed({"a": table}, {"a": table}, ["a"], "/runs/1")["a"]["filepath"]
    '/runs/1/data/02/a.csv'
    """
    made = {base(name) for name in outputs}
    theirs = {name: config for name, config in resolved.items() if base(name) in made}
    return {**catalog, **{name: _moved(config, folder) for name, config in theirs.items()}}


def paths(config: Any) -> Iterator[str]:
    """Relative paths in the configuration of a dataset, those of datasets inside it too."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key in _PATH_KEYS and isinstance(value, str) and is_relative(value):
                yield PurePosixPath(value).as_posix()
            else:
                yield from paths(value)


def elsewhere(config: Any) -> Iterator[str]:
    """Paths and addresses that stay as they are written."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key in _PATH_KEYS and isinstance(value, str) and not is_relative(value):
                yield value
            else:
                yield from elsewhere(value)


def is_relative(path: str) -> bool:
    """Whether a path lies in the project: no address, not absolute, not out of the folder."""
    if re.match(r"[\w+.-]+:", path) or PureWindowsPath(path).is_absolute():
        return False
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts


def _moved(config: Any, folder: str) -> Any:
    if not isinstance(config, Mapping):
        return copy.deepcopy(config)
    return {
        key: f"{folder}/{PurePosixPath(value).as_posix()}"
        if key in _PATH_KEYS and isinstance(value, str) and is_relative(value)
        else _moved(value, folder)
        for key, value in config.items()
    }
