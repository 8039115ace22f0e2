"""NUTS on the PyMC model, and the audit. The slowest tests of the folder."""

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    InferenceConfig,
    ModelConfig,
    audit,
    fit,
    model_graph,
    to_inference_data,
)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.full
def test_hilbert_space_forecasts_agree_with_the_exact_ones(simulated):
    """Within 0.02 predictive sd plus four Monte Carlo errors; independent of the Kalman filter."""
    series = simulated(84, lengthscale=12.0, missing=0.1, seed=2)
    fast = fit(series)
    config = InferenceConfig(method="nuts", draws=400, tune=400, chains=2, target_accept=0.95, min_ess=10)
    result = audit(series, fast, inference=config)
    assert abs(result["shift_forecast"]) < 0.02 + 4 * abs(result["shift_forecast"] / result["z_forecast"])
    assert result["nuts_r_hat"] < 1.1
    slow = fit(series, inference=config)
    assert slow.method_used == "nuts" and {"r_hat", "ess", "divergences"} <= slow.diagnostics.keys()
    a, b = fast.forecast(12), slow.forecast(12)
    assert np.abs((a.mean - b.mean) / a.sd).max() < 0.05
    theirs, ours = to_inference_data(slow), to_inference_data(fast)
    assert theirs.groups() == ours.groups()
    for group in ours.groups():
        dims = [{name: v.dims for name, v in idata[group].variables.items()} for idata in (ours, theirs)]
        assert dims[0] == dims[1]
    assert theirs.posterior.sizes["chain"] == 2


@pytest.mark.parametrize(("format", "start"), [("dot", "digraph"), ("mermaid", "graph")])
def test_the_graph_names_the_models_parts(format, start):
    text = model_graph(ModelConfig(), format=format)
    assert text.startswith(start) and all(name in text for name in ("sigma", "lengthscale", "fourier", "basis_weight"))
