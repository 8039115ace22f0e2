"""The structural model knows numbers only: no orchestration, no tracking, no plotting, and nothing of this library."""

import grimp
import pytest

PACKAGE = "retraining.pipelines.climate_brazil.structural"
FORBIDDEN = (
    "airflow",
    "kedro",
    "kedro_datasets",
    "kedro_mlflow",
    "matplotlib",
    "mlflow",
    "plotly",
    "polars",
    "tracked_kedro",
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("retraining", "tracked_kedro", include_external_packages=True)


@pytest.mark.parametrize("module", FORBIDDEN)
def test_it_imports_nothing_of(graph: grimp.ImportGraph, module: str):
    if module not in graph.modules:
        pytest.fail(f"{module} is imported nowhere any more; take it off the list")
    inside = {PACKAGE, *graph.find_descendants(PACKAGE)}
    assert len(inside) > 20
    chains = [chain for one in sorted(inside) if (chain := graph.find_shortest_chain(importer=one, imported=module))]
    # A way out of the package ends in this test, whatever it leads to.
    assert chains == []
