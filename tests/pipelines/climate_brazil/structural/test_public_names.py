"""The engine's public names: each is there, is what its module says, and costs nothing before it is asked for."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil import structural

PACKAGE = "retraining.pipelines.climate_brazil.structural"


@pytest.mark.parametrize("name", structural.__all__)
def test_it_is_what_the_package_says_to_who_reads_types(name: str) -> None:
    tree = ast.parse(Path(structural.__file__).read_text())
    declared = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert getattr(structural, name) is getattr(import_module(f"{PACKAGE}.{declared[name]}"), name)


def test_no_module_bears_a_public_name() -> None:
    """Else the name would be the module's, once somebody has imported that."""
    modules = {path.stem for path in Path(structural.__file__).parent.glob("*.py")}
    assert modules & set(structural.__all__) == set()


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        structural.fitt  # noqa: B018


def test_a_check_of_parameters_needs_no_numerical_library() -> None:
    code = (
        "import sys; import retraining.pipelines.climate_brazil.parameters; "
        "print(sorted({'numba', 'scipy', 'llvmlite', 'polars', 'pymc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
