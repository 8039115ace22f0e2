"""The docs site: its reference is complete, its links lead somewhere, and it asks nobody else for anything."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from tests.deployment import ROOT

sys.path.insert(0, str(ROOT / "docs" / "site"))
from reference import UndocumentedError, described, pages

from tracked_kedro.environment import VARIABLES

LIBRARY = ROOT / "plugins" / "tracked_kedro"
# Of Airflow, MLflow, make and the system.
FOREIGN = re.compile(r"AIRFLOW_|MLFLOW_|MAKELEVEL|KEDRO_LOGGING|XDG_")


def environment_reads(file: Path) -> set[str]:
    """Names of variables that a module reads, as far as they stand in it as texts."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            found |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith("VARIABLE"):
            found |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    return found


def test_every_variable_that_the_library_reads_is_described():
    read = set().union(*(environment_reads(file) for file in LIBRARY.rglob("*.py")))
    assert {name for name in read if name.isupper() and not FOREIGN.match(name)} == {one.name for one in VARIABLES}


def test_every_key_of_a_block_is_described():
    text = pages()["reference-airflow-yml.md"]
    for key in ("schedule", "max_active_runs", "pod_override", "exclusiveMinimum", "answer_within_hours"):
        assert re.search(rf"^\| `{key}` \| [^|]+ \| [^|]+ \| .{{8,}} \|$", text, re.M), key


def test_a_key_without_a_word_is_an_error():
    words = """Nothing.

    Attributes:
        said: something.
    """
    silent = make_dataclass("Silent", ["said", "unsaid"], namespace={"__doc__": words})
    with pytest.raises(UndocumentedError, match="unsaid"):
        described(silent)


@pytest.mark.full
def test_the_site_is_built_without_a_dead_link_and_asks_no_other_server(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "docs/site/build.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    assert "index.html" in done.stdout
    loaded = set()
    for page in site.rglob("*.html"):
        loaded |= set(
            re.findall(r'<(?:script|img|link|iframe)[^>]*?(?:src|href)="?(?:https?:)?//[^">]+', page.read_text())
        )
    assert loaded == set()
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?https?:", style.read_text()), style
