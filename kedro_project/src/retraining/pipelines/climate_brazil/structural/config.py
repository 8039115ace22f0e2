"""Configuration of the model and of its inference, frozen and checked."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

Kernel = Literal["matern32", "matern12"]
Method = Literal["marginal", "nuts"]
Transform = Literal["none", "log", "auto"]
DEFAULT_LENGTHSCALE_SIGMA: dict[str, float] = {"matern32": 0.7, "matern12": 1.0}


class ShapePrior(BaseModel):
    """Prior that a fleet gives to (log sigma - log eta, log l): Normal, flat in log eta (see fleet_prior).

    Attributes:
        mean: of both.
        variance: of both.
        covariance: between them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, float]
    variance: tuple[PositiveFloat, PositiveFloat]
    covariance: float = 0.0

    @model_validator(mode="after")
    def _is_definite(self) -> "ShapePrior":
        if self.covariance**2 >= self.variance[0] * self.variance[1]:
            raise ValueError("covariance is too large for these variances: the prior must be a proper Normal")
        return self

    @property
    def conditional(self) -> tuple[float, float, float, float, float]:
        """(m0, s0, m1, slope, s1): ratio ~ Normal(m0, s0^2), log l ~ Normal(m1 + slope (ratio - m0), s1^2)."""
        (m0, m1), (v0, v1) = self.mean, self.variance
        slope = self.covariance / v0
        return m0, v0**0.5, m1, slope, (v1 - slope * self.covariance) ** 0.5


class ModelConfig(BaseModel):
    """Priors, all on the standardised scale; lengthscale and period in steps of the series (months, or quarters).

    `harmonics` and `lengthscale_median` follow the period where they are not given: all harmonics up to the sixth, and
    two periods. Numbers that a fleet has given (`pooled_slope_*`, `seasonal_sd`, `shape_prior`) are in units of the
    series, of its logarithm where `transform` is log.
    """

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
    # Prior sd of the coefficients of each harmonic; replaces coefficient_scale (see fleet_prior).
    seasonal_sd: tuple[PositiveFloat, ...] | None = None
    # Replaces the priors of sigma, eta and l.
    shape_prior: ShapePrior | None = None
    # Share of the slope that is left after each step of a forecast; None: the line goes on.
    damping: float | None = Field(None, gt=0, lt=1)
    # log: the model is of log(y), for positive series; auto: the more probable one (see transform).
    transform: Transform = "none"
    # Longer histories are forecast by an average with the same model on the newest years (see windows); None: never.
    recent_years: int | None = Field(None, ge=3, le=100)

    @model_validator(mode="before")
    @classmethod
    def _defaults_follow_the_period(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(period := given.get("period"), int):
            given = {"harmonics": min(6, period // 2), "lengthscale_median": 2.0 * period} | given
        return given

    @model_validator(mode="after")
    def _one_seasonal_sd_a_harmonic(self) -> "ModelConfig":
        if self.seasonal_sd is not None and len(self.seasonal_sd) != self.harmonics:
            raise ValueError(f"seasonal_sd has {len(self.seasonal_sd)} numbers for harmonics={self.harmonics}")
        return self

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
    # A fallback to NUTS that takes longer is given up: the series keeps what failed the gate, and is flagged by it.
    max_fallback_seconds: float = Field(120.0, gt=0)
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
