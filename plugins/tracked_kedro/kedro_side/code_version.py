"""Version of the code that decides a pipeline's results: what was computed by other code is not "the same"."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# Parts of this library that lie between the files a pipeline is given and its nodes. What the others do changes no
# result: tasks, tracking and pages carry and show it, the rules of promotion judge it. A fleet is not trained again for
# their sake.
_DECIDING = (
    "kedro_side/digest.py",
    "kedro_side/parameters.py",
    "kedro_side/partitions.py",
    "kedro_side/raw_inputs.py",
    "kedro_side/whole_files.py",
    "month.py",
)
_LIBRARY = Path(__file__).resolve().parents[1]


@cache
def code_version(package: str) -> str:
    """Twelve hexadecimal digits over a pipeline's own folder and the parts of this library that decide results.

    Args:
        package: dotted name of the pipeline's package.

    Raises:
        ModuleNotFoundError: there is no such package.

    >>> code_version("lettings.pipelines.rents")  # doctest: +SKIP
    '0f3a5c6d7e81'
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is no package of this environment", name=package)
    (folder,) = spec.submodule_search_locations
    digest = hashlib.sha256()
    for root, paths in (
        (Path(folder), sorted(Path(folder).rglob("*.py"))),
        (_LIBRARY, [_LIBRARY / p for p in _DECIDING]),
    ):
        for path in paths:
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
