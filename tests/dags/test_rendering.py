"""`make dags`: what it renders, and that what is committed is what it renders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.dags.conftest import copied, dag_bag, render_dags, rendered


def test_committed_files_are_what_the_template_renders(tmp_path: Path, environment: dict[str, str]):
    """Byte for byte. If this fails: `make dags`, and commit what it made."""
    files = rendered(ROOT / "kedro_project", tmp_path / "dags", environment)
    committed = sorted((ROOT / "dags").glob("*.py"))
    assert [path.name for path in files] == [path.name for path in committed]
    for path, known in zip(files, committed, strict=True):
        assert path.read_bytes() == known.read_bytes(), f"{known.name} is out of date: make dags"


def test_airflow_imports_them_without_error(environment: dict[str, str]):
    found = dag_bag(ROOT / "dags", environment)
    assert found["errors"] == {}
    assert [f"{name}_dag.py" for name in found["dags"]] == sorted(path.name for path in (ROOT / "dags").glob("*.py"))


def test_beyond_200_series_the_form_takes_ids_as_text(tmp_path: Path, environment: dict[str, str]):
    project = copied(tmp_path)
    lines = "".join(f"s{i:03d},Station {i},station_s{i:03d}.csv\n" for i in range(201))
    (project / "conf" / "base" / "series_climate_brazil.csv").write_text(f"series,label,file\n{lines}")
    rendered(project, tmp_path / "dags", environment)
    code = (tmp_path / "dags" / "climate_brazil_dag.py").read_text()
    assert "examples=" not in code
    assert "values_display=" not in code
    # `process_datasets` refuses an unknown id; 10,000 of them would be read with the DAG file for every task.
    assert "s200" not in code
    assert '"series": Param(\n            [],\n            type="array",' in code
    assert dag_bag(tmp_path / "dags", environment) == {"dags": ["climate_brazil", "movie_recommender"], "errors": {}}


@pytest.mark.parametrize("entry", ["'", '"', "\\", "{{ x }}", "São <Luís> & Cia"])
def test_labels_are_emitted_as_python_literals(entry: str):
    """The template's only way of writing a value."""
    import ast

    from jinja2 import Environment

    template = Environment(autoescape=False).from_string("{{ value | pprint }}")
    assert ast.literal_eval(template.render(value=entry)) == entry
    macro = (ROOT / "kedro_project" / "templates" / "dag.py.j2").read_text()
    assert "{% macro literal(value) %}{{ value | pprint }}{% endmacro" in macro


@pytest.mark.parametrize("fault", ["circle", "yaml"])
def test_what_cannot_even_be_read_is_told_in_one_line(tmp_path: Path, environment: dict[str, str], fault: str):
    project = copied(tmp_path)
    if fault == "circle":
        package = project / "src" / "retraining" / "pipelines" / "rings"
        package.mkdir()
        nodes = 'node(len, "x", "y", name="a"), node(len, "y", "x", name="b")'
        code = (
            f"from kedro.pipeline import node, pipeline\n\n\ndef create_pipeline():\n    return pipeline([{nodes}])\n"
        )
        (package / "__init__.py").write_text(code)
        told = r"pipelines/rings/__init__\.py, line 5: CircularDependencyError: .*; let one of these nodes"
    else:
        (project / "conf" / "base" / "airflow.yml").write_text("default: {owner: me\n")
        told = r"Invalid YAML or JSON file .*/airflow\.yml, unable to read line 1, position 0; correct it in .*/conf"
    done = render_dags(project, tmp_path / "dags", environment)
    assert done.returncode == 1
    assert re.search(rf"^Error: No DAG can be rendered; nothing was written\. {told}", done.stderr, re.M), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "dags").exists()
