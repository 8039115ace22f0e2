"""log p(y | theta) with every coefficient integrated out, its gradient, and what is Gaussian given theta."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coefficients import integrate_out, shift_gram
from .config import ModelConfig
from .errors import InvalidSeriesError
from .kernels import transition, transition_gradient
from .markov import filter_columns
from .markov_gradient import quadratic_gradient
from .priors import log_prior, log_prior_gradient
from .series import PERIOD, Series, standardise
from .trend import coefficient_prior, design

Floats = NDArray[np.float64]

LOG_TWO_PI = float(np.log(2 * np.pi))
BOX = 12.0  # |log theta| beyond this has no posterior mass on standardised data and would only overflow


@dataclass(frozen=True, eq=False)
class Conditional:
    """What is Gaussian given each of S values of theta; p coefficients, all on the standardised scale.

    Coefficients: mean (S, p), covariance root^T root. Trend state of [y X] predicted one month past the end:
    state (S, 2, 1 + p) and its covariance cov (S, 3) = (p00, p01, p11) in units of eta^2.
    """

    u: Floats
    log_likelihood: Floats
    mean: Floats
    root: Floats
    state: Floats
    cov: Floats


@dataclass(frozen=True, eq=False)
class Target:
    """The posterior of u = (log sigma, log eta, log l) of one standardised series."""

    series_id: str
    model: ModelConfig
    z: Floats  # (months, 1 + p): y and the design's columns
    observed: NDArray[np.bool_]
    y_mean: float
    y_sd: float
    calendar0: int  # steps from 1970-01 to the first training month
    step: int = 1  # months

    @classmethod
    def of(cls, series: Series, model: ModelConfig) -> "Target":
        """Standardise and lay out the design once; theta varies after that.

        Raises:
            StructuralError: the period is not the year of the series, or `transform` is not settled (see `fit`).
        """
        if series.step * model.period != PERIOD and (series.step > 1 or model.period < PERIOD):
            raise InvalidSeriesError(
                f"series {series.id!r}: period={model.period} with a value every {series.step} months; a year of "
                f"quarters is period: 4 with Series(..., step=3), a year of months period: 12 with step=1"
            )
        if model.transform == "auto":
            raise InvalidSeriesError(f"series {series.id!r}: transform: auto is not settled; fit() does that")
        data = standardise(series, log=model.transform == "log")
        calendar0 = int(series.first_month.astype("datetime64[M]").astype(np.int64)) // series.step
        x = design(model, calendar0, len(series), 0, len(series))
        z = np.ascontiguousarray(np.column_stack([data.y, x]))
        return cls(series.id, model, z, data.observed, data.mean, data.sd, calendar0, series.step)

    @property
    def length(self) -> int:
        """Training months, observed or not."""
        return int(self.z.shape[0])

    @property
    def prior_mean(self) -> Floats:
        """Prior means of the p coefficients, all zero without a pooled slope."""
        return coefficient_prior(self.model, self.length, self.y_sd, self.step)[0]

    @property
    def prior_sd(self) -> Floats:
        """D, the prior standard deviations of the p coefficients."""
        return coefficient_prior(self.model, self.length, self.y_sd, self.step)[1]

    def design(self, start: int, stop: int) -> Floats:
        """Design rows at positions start..stop-1 of the training calendar, (stop - start, p)."""
        return design(self.model, self.calendar0, self.length, start, stop)

    def conditional(self, u: Floats) -> Conditional:
        """Filter once for each row of u (S, 3)."""
        u = np.clip(u, -BOX, BOX)
        sigma, eta, ell = np.exp(u[:, 0]), np.exp(u[:, 1]), np.exp(u[:, 2])
        gram, logdet, state, cov = filter_columns(
            self.z, self.observed, transition(self.model.kernel, ell), (sigma / eta) ** 2
        )
        prior_mean = self.prior_mean
        shifted = shift_gram(gram, prior_mean) if prior_mean.any() else gram
        quadratic, logdet_a, mean, root = integrate_out(shifted, eta, self.prior_sd)
        mean += prior_mean
        count = int(self.observed.sum())
        log_likelihood = -0.5 * (count * (LOG_TWO_PI + 2 * u[:, 1]) + logdet + logdet_a + quadratic)
        return Conditional(u, log_likelihood, mean, root, state, cov)

    def log_posterior(self, u: Floats, conditional: Conditional) -> Floats:
        """log p(u, y) for each row of u; -inf outside the box."""
        outside = (np.abs(u) > BOX).any(axis=1) | ~np.isfinite(conditional.log_likelihood)
        return np.where(outside, -np.inf, conditional.log_likelihood + log_prior(self.model, conditional.u))

    def value_and_gradient(self, u: Floats) -> tuple[float, Floats]:
        """log p(u, y) and its gradient at one u (3,).

        Fisher's identity: the gradient of the marginal is the posterior expectation, over the coefficients c, of
        the gradient of log p(y | c, theta). With V = root^T root that expectation is a sum of quadratic forms of
        1 + p columns: the residual y - X E[c] and the columns of X root^T. Only (q, l) need tangents: rescaling
        sigma and eta together is known in closed form.
        """
        conditional = self.conditional(u[None, :])
        value = float(self.log_posterior(u[None, :], conditional)[0])
        x, eta2 = self.z[:, 1:], float(np.exp(2 * u[1]))
        columns = np.column_stack([self.z[:, 0] - x @ conditional.mean[0], x @ conditional.root[0].T])
        ell = float(np.exp(u[2]))
        a = transition(self.model.kernel, np.array([ell]))[0]
        da = transition_gradient(self.model.kernel, ell)
        q = float(np.exp(2 * (u[0] - u[1])))
        quadratic, _, d_quadratic, d_logdet = quadratic_gradient(columns, self.observed, a, da, q)
        by_q, by_ell = -0.5 * (d_logdet + d_quadratic / eta2)
        by_scale = quadratic / eta2 - int(self.observed.sum())
        gradient = np.array([2 * by_q, by_scale - 2 * by_q, by_ell])
        return value, gradient + log_prior_gradient(self.model, u)
