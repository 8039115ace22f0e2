"""Configuration of the model and of its inference, frozen and checked."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Kernel = Literal["matern32", "matern12"]
Method = Literal["marginal", "nuts"]
DEFAULT_LENGTHSCALE_SIGMA: dict[str, float] = {"matern32": 0.7, "matern12": 1.0}


class ModelConfig(BaseModel):
    """Priors, all on the standardised scale; lengthscale and period in months."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kernel: Kernel = "matern32"
    period: int = Field(12, ge=2, le=366)
    harmonics: int = Field(6, ge=1)
    lengthscale_median: float = Field(24.0, gt=0)
    lengthscale_sigma: float | None = Field(None, gt=0, le=3)
    amplitude_scale: float = Field(1.0, gt=0)
    noise_scale: float = Field(1.0, gt=0)
    coefficient_scale: float = Field(0.5, gt=0)
    intercept_scale: float = Field(1.0, gt=0)
    slope_scale: float = Field(1.0, gt=0)
    # Slope's prior pooled over other series, degC per decade (see pooling); replaces Normal(0, slope_scale).
    pooled_slope_mean: float | None = None
    pooled_slope_sd: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _harmonics_are_identifiable(self) -> "ModelConfig":
        if 2 * self.harmonics > self.period:
            raise ValueError(
                f"harmonics={self.harmonics} exceeds period/2={self.period / 2:g}: sampled once a step, a faster "
                "cycle is indistinguishable from a slower one (aliasing), so its coefficients have no meaning. "
                f"Use harmonics <= {self.period // 2}."
            )
        return self

    @model_validator(mode="after")
    def _pooled_slope_is_whole(self) -> "ModelConfig":
        if (self.pooled_slope_mean is None) != (self.pooled_slope_sd is None):
            raise ValueError("give pooled_slope_mean and pooled_slope_sd, or neither of them")
        return self

    @property
    def lengthscale_sd(self) -> float:
        """Standard deviation of log lengthscale, with the kernel's default filled in."""
        if self.lengthscale_sigma is None:
            return DEFAULT_LENGTHSCALE_SIGMA[self.kernel]
        return self.lengthscale_sigma


class InferenceConfig(BaseModel):
    """How the posterior is computed, and when a result is not good enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = "marginal"
    draws: int = Field(1000, ge=100, le=100_000)
    points: int = Field(1024, ge=64, le=65_536)
    # Histories up to so many months are integrated on a grid, which costs them no more than the points and is closer.
    grid_months: int = Field(240, ge=0)
    max_k_hat: float = Field(0.7, gt=0, le=1.0)
    min_ess: float = Field(400, ge=10)
    fallback: bool = True
    chains: int = Field(4, ge=2, le=64)
    tune: int = Field(1000, ge=100)
    target_accept: float = Field(0.9, ge=0.5, lt=1.0)
    nuts_sampler: Literal["nutpie", "pymc"] = "nutpie"
    nuts_trend: Literal["hilbert", "exact"] = "hilbert"  # exact: dense covariance, cubic in months, no approximation

    @field_validator("points")
    @classmethod
    def _points_are_a_power_of_two(cls, points: int) -> int:
        if points & (points - 1):
            raise ValueError(f"points={points} is not a power of two; Sobol points are balanced only then. Try 1024.")
        return points

    @model_validator(mode="after")
    def _ess_is_reachable(self) -> "InferenceConfig":
        if self.method == "marginal" and self.min_ess > 0.9 * self.points:
            raise ValueError(
                f"min_ess={self.min_ess:g} is out of reach of points={self.points}: weights cost some of them. "
                "Raise points or lower min_ess."
            )
        return self
