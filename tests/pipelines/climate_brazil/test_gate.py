"""Which inference is trusted, by the limits of the inference's own configuration."""

from __future__ import annotations

import pytest

from retraining.pipelines.climate_brazil.series.gate import deserves_a_look, limits, passes_gate
from retraining.pipelines.climate_brazil.structural import InferenceConfig

SOUND = {"method_used": "marginal", "k_hat": 0.5, "ess": 800.0}


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        ({"method_used": "marginal", "k_hat": 0.5, "ess": 800.0}, True),
        ({"method_used": "marginal", "k_hat": 0.8, "ess": 800.0}, False),
        ({"method_used": "marginal", "k_hat": 0.5, "ess": 100.0}, False),
        ({"method_used": "marginal", "k_hat": None, "ess": 800.0}, False),
        ({"method_used": "quadrature", "k_hat": 0.9, "ess": 10.0}, True),
        ({"method_used": "nuts", "r_hat": 1.003, "ess": 900.0, "divergences": 0}, True),
        ({"method_used": "nuts", "r_hat": 1.02, "ess": 900.0, "divergences": 0}, False),
        ({"method_used": "nuts", "r_hat": 1.003, "ess": 900.0, "divergences": 3}, False),
        ({**SOUND, "recent_method_used": "quadrature", "recent_k_hat": None}, True),
        ({**SOUND, "recent_method_used": "marginal", "recent_k_hat": 0.5, "recent_ess": 800.0}, True),
        ({**SOUND, "recent_method_used": "marginal", "recent_k_hat": 0.9, "recent_ess": 800.0}, False),
        ({**SOUND, "recent_method_used": None, "recent_k_hat": None}, True),
    ],
)
def test_the_gate_is_that_of_the_method_used(row: dict, passes: bool):
    assert passes_gate({"status": "finished", **row}, InferenceConfig()) is passes
    assert not passes_gate({"status": "failed", **row}, InferenceConfig())


@pytest.mark.parametrize(
    ("row", "inference"),
    [
        ({"k_hat": 0.6, "ess": 800.0}, InferenceConfig(max_k_hat=0.5)),
        ({"k_hat": 0.5, "ess": 500.0}, InferenceConfig(min_ess=600)),
    ],
)
def test_the_mark_and_the_gate_read_the_same_limits(row: dict, inference: InferenceConfig):
    row = {"status": "finished", "method_used": "marginal", **row}
    assert passes_gate(row, InferenceConfig()) and not deserves_a_look(row, InferenceConfig())
    assert not passes_gate(row, inference) and deserves_a_look(row, inference)


def test_a_second_window_deserves_a_look_too():
    assert deserves_a_look({**SOUND, "recent_k_hat": 0.9}, InferenceConfig())
    assert not deserves_a_look({**SOUND, "recent_k_hat": 0.5, "recent_ess": None}, InferenceConfig())


def test_the_limits_are_named_as_configured():
    assert limits(InferenceConfig()) == (
        "(!) k-hat over 0.7, ESS below 400, R-hat over 1.01 or divergences: look at it"
    )
    assert "k-hat over 0.5, ESS below 600" in limits(InferenceConfig(max_k_hat=0.5, min_ess=600))
