"""The code of a model under a name of its own, so that it answers with that code however the checkout has changed.

What a served model imports is zipped as a package whose name contains a digest of it, and the imports, in the model's
own file and among each other, are rewritten to that name. Two versions of one pipeline, and the checkout, can so be
imported by one process.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracked_kedro.serving.modules import module_file, needed
from tracked_kedro.serving.renaming import leads_into, renamed
from tracked_kedro.serving.unpacking import CONTENT

LIBRARY = __name__.partition(".")[0]
CODE_FILE = "code.zip"
# Imports the package, which unpacks itself, from beside the model's file, where MLflow keeps artifacts; once for all
# models of one code. The archive is not left on the path: that of a model that was saved or downloaded may go.
_PRELUDE = """\
import importlib
import sys
from pathlib import Path

if {name!r} not in sys.modules:
    archive = str(Path(__file__).with_name("artifacts") / {archive!r})
    sys.path.append(archive)
    importlib.invalidate_caches()
    import {name}

    sys.path.remove(archive)
"""
_UNPACKING = b"\n\n__path__ = [folder_of(__name__, __loader__.archive)]  # type: ignore[name-defined]\n"
_UNPACKER = Path(__file__).with_name("unpacking.py")
# Archives of the same code are the same, whenever they are made.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Code:
    """What a model brings along.

    Attributes:
        name: of the package, `served_<label>_<digest>`.
        text: of the file that MLflow runs.
        archive: content of `CODE_FILE`, None where the file imports nothing of its project or of this library.
        sources: what the package is made of, by original name.
        packed: original names of what the package holds.
    """

    name: str
    text: str
    archive: bytes | None
    sources: Mapping[str, Path]
    packed: frozenset[str]

    def of(self, name: str) -> str:
        """Where the package holds a module, or something in it; a name from elsewhere stays as it is."""
        return f"{self.name}.{name}" if leads_into(name, self.packed) else name


def pack(module: str, label: str, project: str, more: Iterable[str] = ()) -> Code:
    """Pack what a served model imports of its project and of this library.

    Args:
        module: dotted name of the file that MLflow runs.
        label: what the package is named after.
        project: the project's package.
        more: modules that come along besides what is imported.

    Raises:
        FileNotFoundError: there is no such module.
    """
    file = module_file(module)
    if file is None:
        raise FileNotFoundError(f"{module} is missing: it says how the registered model of {label} answers")
    sources = needed(file, module, {project, LIBRARY}, more)
    packages = {one[: dot.start()] for one in sources for dot in re.finditer(r"\.", one)}
    packed = frozenset({*sources, *packages})
    plain = _files(sources, packages, "served")
    digest = hashlib.sha256(b"\0".join(part for path, text in sorted(plain.items()) for part in (path.encode(), text)))
    name = f"served_{label}_{digest.hexdigest()[:12]}"
    text = renamed(file.read_text(), name, packed)
    if not sources:
        return Code(name, text, None, sources, packed)
    # Compressed as one, for modules resemble each other.
    content = _zipped(_files(sources, packages, name), zipfile.ZIP_STORED)
    whole: dict[str, bytes] = {
        f"{name}/__init__.py": _UNPACKER.read_bytes() + _UNPACKING,
        f"{name}/{CONTENT}": content,
    }
    return Code(name, _with_prelude(text, name), _zipped(whole, zipfile.ZIP_DEFLATED), sources, packed)


def _files(sources: Mapping[str, Path], packages: Collection[str], name: str) -> dict[str, bytes]:
    """Text of each file of the package, by its path there."""
    # A package that is there for the sake of its modules is empty: its own code may ask for Kedro.
    files: dict[str, bytes] = {f"{one.replace('.', '/')}/__init__.py": b"" for one in packages}
    packed = {*sources, *packages}
    for one, path in sources.items():
        suffix = "/__init__.py" if path.name == "__init__.py" else ".py"
        files[one.replace(".", "/") + suffix] = renamed(path.read_text(), name, packed).encode()
    return files


def prelude(name: str) -> str:
    """What imports the package at the beginning of the model's file."""
    return _PRELUDE.format(name=name, archive=CODE_FILE)


def _with_prelude(source: str, name: str) -> str:
    lines = source.split("\n")
    # Docstring and `from __future__` have to stay first.
    at = 0
    for node in ast.parse(source).body:
        docstring = isinstance(node, ast.Expr) and at == 0
        if not docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        at = node.end_lineno or at
    return "\n".join([*lines[:at], "", prelude(name), *lines[at:]])


def _zipped(files: Mapping[str, bytes], compression: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        for path, data in sorted(files.items()):
            target.writestr(zipfile.ZipInfo(path, _MOMENT), data, compression, 9)
    return content.getvalue()
