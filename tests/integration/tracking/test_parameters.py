"""Which parameters a run keeps, and how: by `kedro run` and by tasks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.tracking.probe import Project

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


def test_each_node_logs_its_parameters_flat(run: Callable, project: Project) -> None:
    run()
    (parent,) = project.parents()
    assert parent.data.params == {
        "probe.settings.line": "[1, 2]",
        "probe.settings.deep.colour": "blue",
        "probe.count": "3",
        "probe.fail": "False",
    }


def test_parameters_may_stay_nested_or_be_flattened_once(run: Callable, project: Project) -> None:
    project.configure(tracking__params__dict_params={"flatten": True, "recursive": False, "sep": "-"})
    run()
    (parent,) = project.parents()
    assert parent.data.params["probe.settings-deep"] == "{'colour': 'blue'}"
    assert "probe.settings-line" in parent.data.params


@pytest.mark.parametrize("strategy", ["truncate", "tag"])
def test_long_parameters(run: Callable, project: Project, strategy: str) -> None:
    project.configure(tracking__params__long_params_strategy=strategy)
    line = [1] * 2500
    run(settings={"line": line})
    (parent,) = project.parents()
    name, written = "probe.settings.line", str(line)
    kept = parent.data.params if strategy == "truncate" else parent.data.tags
    other = parent.data.tags if strategy == "truncate" else parent.data.params
    same = kept[name] == (written[:6000] if strategy == "truncate" else written)
    assert same, kept[name][:100]
    assert name not in other


def test_a_failed_run_keeps_the_parameters_of_the_nodes_that_ran(run: Callable, project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail after 3"):
        run(fail=True)
    (parent,) = project.parents()
    assert parent.data.params.keys() >= {"probe.settings.line", "probe.count"}
    assert parent.data.metrics["score"] == 0.5
