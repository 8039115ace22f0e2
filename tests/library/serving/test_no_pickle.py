"""Nothing here writes or loads a pickle, or anything else that runs code when it is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deployment import ROOT
from tracked_kedro.serving.packaging import write_model

FOLDERS = ("plugins/tracked_kedro", "kedro_project/src", "operations")
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
# Of a hosted project whose block says `allow_pickle`: written in its process and loaded there alone, after its
# signature was checked (SECURITY.md; tests/library/hosting/test_models.py).
EXCUSED = {
    "plugins/tracked_kedro/guest/model.py": ["pickle"],
    "plugins/tracked_kedro/guest/models/pickled_model.py": ["pickle"],
}
CALLS = {"read_pickle", "to_pickle", "unsafe_load", "full_load"}


def faults(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            options = {one.arg: ast.unparse(one.value) for one in node.keywords}
            if node.func.attr in CALLS or options.get("allow_pickle") == "True":
                yield name
            if name in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
                yield f"{name} without allow_pickle=False"
            if name == "yaml.load":
                yield name


def test_no_code_of_ours_does() -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (wrong := list(faults(ast.parse(path.read_text()))))
    }
    assert found == EXCUSED


def test_the_search_finds_one() -> None:
    code = "import pickle\nfrom joblib import load\nnp.load(f)\nnp.load(f, allow_pickle=True)\npd.read_pickle(f)\n"
    assert len(list(faults(ast.parse(code)))) == 6


def test_no_catalog_entry_does() -> None:
    for path in (ROOT / "kedro_project" / "conf").rglob("*.yml"):
        assert not {"pickle", "joblib"} & set(path.read_text().lower().replace(".", " ").split()), path


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
def test_a_registered_model_is_code_and_plain_files(made_up: Path, tmp_path: Path) -> None:
    write_model("made_up.pipelines.prices", {"base.txt": b"500"}, tmp_path / "model")
    flavours = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())["flavors"]
    assert list(flavours) == ["python_function"]
    assert flavours["python_function"]["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert "python_model" not in flavours["python_function"]
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
