"""Which modules of a project and of this library a piece of code imports: what a model has to bring along."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path


def module_file(name: str) -> Path | None:
    """Source of a module or package, found by its place in the top package: no other is imported to find it.

    >>> module_file("tracked_kedro.serving").name
    '__init__.py'
    """
    top, _, rest = name.partition(".")
    spec = find_spec(top)
    for folder in (spec and spec.submodule_search_locations) or ():
        place = Path(folder, *rest.split(".")) if rest else Path(folder)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                return file
    return None


def modules_under(package: str) -> list[str]:
    """Dotted names of a package and all modules under it."""
    file = module_file(package)
    if file is None or file.name != "__init__.py":
        return [package] if file else []
    found = []
    for path in sorted(file.parent.rglob("*.py")):
        parts = path.relative_to(file.parent).with_suffix("").parts
        found.append(".".join([package, *parts[: -1 if parts[-1] == "__init__" else None]]))
    return found


def needed(file: Path, module: str, tops: Collection[str], more: Iterable[str] = ()) -> dict[str, Path]:
    """Sources that code imports, and what these import, by dotted name; imports inside functions count, too.

    A package is among them where something of its own is imported, not for the sake of a module in it.

    Args:
        file: the code.
        module: its dotted name, from which relative imports start.
        tops: top packages; what is imported of others comes from the environment.
        more: modules that are needed besides.
    """
    found: dict[str, Path] = {}
    waiting = [*_imported(file, module, tops), *more]
    while waiting:
        name = waiting.pop()
        path = module_file(name) if name not in found else None
        if path is not None:
            found[name] = path
            waiting += _imported(path, name, tops)
    return dict(sorted(found.items()))


def third_parties(files: Iterable[Path]) -> set[str]:
    """Top packages outside the standard library that sources import."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found - sys.stdlib_module_names


def _imported(file: Path, module: str, tops: Collection[str]) -> Iterator[str]:
    """Modules of the top packages that a source imports; of `from a import b` the one, `a` or `a.b`, that holds `b`."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in tops)
        elif isinstance(node, ast.ImportFrom):
            base = _origin(node, module, is_package=file.name == "__init__.py")
            for alias in node.names if base.partition(".")[0] in tops else ():
                yield f"{base}.{alias.name}" if module_file(f"{base}.{alias.name}") else base


def _origin(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """Absolute name of what a `from … import` imports from."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    own = parts[: len(parts) - node.level + is_package]
    return ".".join([*own, node.module] if node.module else own)
