"""Sources whose imports lead to the same modules under another package."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection


def renamed(source: str, package: str, packed: Collection[str]) -> str:
    """Source whose imports of packed modules, and dotted names of them in strings, lead into the package.

    Args:
        source: Python code.
        package: that holds the modules under their own names.
        packed: dotted names of modules and packages.

    >>> renamed("from rents.nodes import fit", "served_rents_0", {"rents", "rents.nodes"})
    'from served_rents_0.rents.nodes import fit'
    """
    lines = source.encode().splitlines(keepends=True)
    tree = ast.parse(source)
    # Within a formatted string, places are not those of the source.
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    found = [
        (node.lineno - 1, node.col_offset, *change)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import | ast.Constant) and id(node) not in parts
        if (change := _change(node, package, packed))
    ]
    # From the end on, so that the places of what stands before stay what they are.
    for row, column, old, new in sorted(found, reverse=True):
        spelled = rb"\s+".join(re.escape(word.encode()) for word in old.split())
        start, rest = lines[row][:column], lines[row][column:]
        lines[row] = start + re.sub(spelled, new.encode(), rest, count=1)
    return b"".join(lines).decode()


def leads_into(name: str, packed: Collection[str]) -> bool:
    """Whether a dotted name is that of a packed module, or of something in one; a lone word is so by chance only."""
    parent = name.rpartition(".")[0]
    if not parent or not name.replace(".", "").isidentifier():
        return False
    return name in packed or ("." in parent and parent in packed)


def _change(
    node: ast.ImportFrom | ast.Import | ast.Constant, package: str, packed: Collection[str]
) -> tuple[str, str] | None:
    """What stands there, and what is to."""
    if isinstance(node, ast.ImportFrom):
        known = not node.level and node.module in packed
        return (f"from {node.module}", f"from {package}.{node.module}") if known else None
    if isinstance(node, ast.Import):
        known = any(alias.name in packed for alias in node.names)
        new = "; ".join(_renamed_import(alias, package, packed) for alias in node.names)
        return (ast.unparse(node), new) if known else None
    if isinstance(node.value, str) and leads_into(node.value, packed):
        return node.value, f"{package}.{node.value}"
    return None


def _renamed_import(alias: ast.alias, package: str, packed: Collection[str]) -> str:
    if alias.name not in packed:
        return ast.unparse(ast.Import([alias]))
    if alias.asname:
        return f"import {package}.{alias.name} as {alias.asname}"
    # `import a.b` binds `a`, through which the code goes on.
    return f"import {package}.{alias.name}; from {package} import {alias.name.partition('.')[0]}"
