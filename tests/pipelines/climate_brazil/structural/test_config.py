import pytest
from pydantic import ValidationError

from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig


def test_harmonics_beyond_half_the_period_are_refused_with_the_reason():
    with pytest.raises(ValidationError, match=r"period/2.*aliasing.*harmonics <= 6"):
        ModelConfig(harmonics=7)


@pytest.mark.parametrize(("kernel", "expected"), [("matern32", 0.7), ("matern12", 1.0)])
def test_lengthscale_sigma_depends_on_the_kernel(kernel, expected):
    assert ModelConfig(kernel=kernel).lengthscale_sd == expected
    assert ModelConfig(kernel=kernel, lengthscale_sigma=0.3).lengthscale_sd == 0.3


BAD = [{"points": 1000}, {"draws": 0}, {"min_ess": 1000}, {"chain": 4}, {"target_accept": 1.0}]


@pytest.mark.parametrize("bad", BAD)
def test_inference_bounds(bad):
    with pytest.raises(ValidationError):
        InferenceConfig(**bad)


def test_configs_are_frozen():
    with pytest.raises(ValidationError):
        ModelConfig().kernel = "matern12"
