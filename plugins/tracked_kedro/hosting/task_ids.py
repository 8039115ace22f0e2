"""Ids of tasks, whatever nodes are called and however many a group has: short, legal, and none twice."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Collection, Iterable

_LENGTH = 60  # readable characters of an id
_DIGEST = 6


def task_ids(groups: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The id of each group by its name: the same names have the same ids, in whatever order they come.

    Args:
        groups: names of groups.
        taken: ids that the DAG has by itself, and names that its file uses.

    >>> task_ids(["Train the model", "3rd", "class", "a-b", "a.b"], {"open_run"})["3rd"]
    'node_3rd'
    """
    from slugify import slugify

    plain = {name: _legal(slugify(name, separator="_"), taken) for name in groups}
    used = list(plain.values())
    return {
        name: f"{made}_{hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]}" if _is_unclear(made, used) else made
        for name, made in ((name, made) for name, made in plain.items())
    }


def _legal(text: str, taken: Collection[str]) -> str:
    cut = re.sub(r"\W", "_", text, flags=re.ASCII)[:_LENGTH].strip("_") or "node"
    legal = cut.isidentifier() and not keyword.iskeyword(cut) and cut not in taken
    return cut if legal else f"node_{cut}"


def _is_unclear(made: str, used: list[str]) -> bool:
    return used.count(made) > 1 or len(made) >= _LENGTH
