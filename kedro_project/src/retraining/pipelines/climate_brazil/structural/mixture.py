"""A weighted mixture of Gaussians for each month: what a posterior forecasts."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .forecast import NEWTON_STEPS, SMALL_STEP, Forecast, systematic

Floats = NDArray[np.float64]

SQRT_TWO_PI = float(np.sqrt(2 * np.pi))
MOST_NODES, SINH_NODES = 200, 160
# The trapezoid rule's error for a Gaussian is exp(-2 (pi sd / step)^2); what lies beyond REACH is less than 1e-9.
NODE_STEP, REACH = 1.0, 6.5  # standard deviations of the narrowest and of every component


@dataclass(frozen=True, eq=False)
class Mixture(Forecast):
    """For month h: sum_s weights[s] Normal(means[s, h], sds[s, h]^2). Means, quantiles and CRPS are exact.

    months (H,), weights (S,), means (S, H), sds (S, H).
    """

    months: NDArray[np.datetime64]
    weights: Floats
    means: Floats
    sds: Floats
    paths: Callable[[int, int], Floats] | None = field(default=None, repr=False)

    @property
    def mean(self) -> Floats:
        """Exact mean, degC."""
        return self.weights @ self.means

    @property
    def sd(self) -> Floats:
        """Law of total variance."""
        spread = self.means - self.mean
        return np.sqrt(self.weights @ (self.sds**2 + spread**2))

    def newest(self, months: int) -> "Mixture":
        """The last so many months, or all where there are fewer."""
        return Mixture(self.months[-months:], self.weights, self.means[:, -months:], self.sds[:, -months:])

    def _at(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Cdf, density and slope of the density at one point a month; x (H,)."""
        z = (x - self.means) / self.sds
        density = np.exp(-0.5 * z * z) / (SQRT_TWO_PI * self.sds)
        w = self.weights
        return w @ ndtr(z), w @ density, -(w @ (density * z / self.sds))

    def cdf_at(self, x: Floats) -> Floats:
        """P(value <= x) at one point a month, x (H,)."""
        return self.weights @ ndtr((x - self.means) / self.sds)

    def density_at(self, x: Floats) -> Floats:
        """Density at one point a month, x (H,)."""
        return self._at(x)[1]

    def partial_mean(self, x: Floats) -> Floats:
        """E[value; value <= x] = sum_s w_s (m_s Phi(z_s) - s_s phi(z_s)), x (H,)."""
        z = (x - self.means) / self.sds
        return self.weights @ (self.means * ndtr(z) - self.sds * np.exp(-0.5 * z * z) / SQRT_TWO_PI)

    def quantile_at(self, q: float | Floats) -> Floats:
        """Newton's method kept inside a bracket that the components' own quantiles give."""
        own = self.means + self.sds * ndtri(q)
        if len(own) == 1:
            return own[0]
        low, high = own.min(axis=0), own.max(axis=0)
        small = SMALL_STEP * self.sds.min(axis=0)
        x = np.clip(self.mean + self.sd * ndtri(q), low, high)
        for _ in range(NEWTON_STEPS):
            z = (x - self.means) / self.sds
            cdf = self.weights @ ndtr(z)
            density = self.weights @ (np.exp(-0.5 * z * z) / self.sds) / SQRT_TWO_PI
            low, high = np.where(cdf < q, x, low), np.where(cdf < q, high, x)
            proposed = x + (q - cdf) / np.maximum(density, 1e-300)
            inside = (proposed >= low) & (proposed <= high)
            moved = np.where(inside, proposed, (low + high) / 2)
            done = bool(np.all(inside & (np.abs(moved - x) <= small)))
            x = moved
            if done:
                break
        return x

    def _interval(self, mass: float) -> tuple[Floats, Floats]:
        return self.shortest(mass)

    def shortest(self, mass: float, tilt: float = 0.0) -> tuple[Floats, Floats]:
        """The interval that holds `mass` and is shortest in x, or in exp(x) with a tilt of 1.

        Newton's method for F(high) - F(low) = mass and log f(high) - tilt high = log f(low) - tilt low, from the
        central interval: the density of exp(x) is f(x) exp(-x).
        """
        # Rounded, so that the central interval's ends are the quantiles that others ask for: (1 - 0.8) / 2 is not 0.1.
        low, high = self.quantile([round((1 - mass) / 2, 12), round((1 + mass) / 2, 12)])
        if len(self.weights) == 1 and not tilt:  # one Gaussian is symmetric
            return low, high
        scale, small = self.sd, SMALL_STEP * self.sds.min(axis=0)
        for _ in range(NEWTON_STEPS):
            cdf_low, f_low, s_low = self._at(low)
            cdf_high, f_high, s_high = self._at(high)
            missing = mass - (cdf_high - cdf_low)
            uneven = np.log(f_low) - np.log(f_high) - tilt * (low - high)
            r_low, r_high = s_low / f_low - tilt, s_high / f_high - tilt
            determinant = f_low * r_high - r_low * f_high  # < 0 while low is left of the mode and high right of it
            safe = np.minimum(determinant, -1e-9 / scale**2)
            d_low = (-missing * r_high + f_high * uneven) / safe
            d_high = (f_low * uneven - r_low * missing) / safe
            limit = 0.25 * scale
            d_low, d_high = np.clip(d_low, -limit, limit), np.clip(d_high, -limit, limit)
            low, high = low + d_low, high + d_high
            if np.all(np.maximum(np.abs(d_low), np.abs(d_high)) <= small):
                break
        return low, high

    def draws(self, n: int, seed: int = 0) -> Floats:
        """n draws, (n, H). From a posterior: coherent paths through the months; from a baseline: months apart."""
        if self.paths is not None:
            return self.paths(n, seed)
        rng = np.random.default_rng(seed)
        component = systematic(self.weights, n, rng)
        return self.means[component] + self.sds[component] * rng.standard_normal((n, len(self)))

    def _absolute_error(self, y: Floats) -> Floats:
        """E|X - y| in closed form (Grimit et al. 2006), which loses no digits where a component is very wide."""
        z = (y - self.means) / self.sds
        return self.weights @ (self.sds * (z * (2 * ndtr(z) - 1) + 2 * np.exp(-0.5 * z * z) / SQRT_TWO_PI))

    def half_mean_difference(self) -> Floats:
        """Integral of F (1 - F) by the trapezoid rule, which for an analytic integrand converges exponentially.

        Evenly spaced nodes, unless a few wide components would need too many of them.
        """
        if len(self.weights) == 1:
            return self.sds[0] / np.sqrt(np.pi)
        low = (self.means - REACH * self.sds).min(axis=0)
        high = (self.means + REACH * self.sds).max(axis=0)
        nodes = int(np.ceil(((high - low) / (NODE_STEP * self.sds.min(axis=0))).max()))
        if nodes > MOST_NODES:
            return self._heavy_tailed_half_mean_difference(low, high)
        nodes = max(nodes, 24)
        step = (high - low) / nodes
        total = np.zeros(len(self))
        for i in range(1, nodes):
            cdf = self.cdf_at(low + i * step)
            total += cdf * (1 - cdf)
        return total * step

    def _heavy_tailed_half_mean_difference(self, low: Floats, high: Floats) -> Floats:
        """The same integral with x = centre + scale sinh(v), whose steps grow with the distance from the centre.

        A short history leaves lengthscale and amplitude to their priors: components thousands of times wider than
        the others then carry a millionth of the weight.
        """
        centre = self.quantile_at(0.5)
        order = np.argsort(self.sds, axis=0)
        below = np.cumsum(self.weights[order], axis=0)
        typical = np.argmax(below >= 0.01, axis=0)  # one in a hundred is narrower
        scale = 2 * np.take_along_axis(np.take_along_axis(self.sds, order, 0), typical[None], 0)[0]
        first, last = np.arcsinh((low - centre) / scale), np.arcsinh((high - centre) / scale)
        step = (last - first) / SINH_NODES
        total = np.zeros(len(self))
        for i in range(1, SINH_NODES):
            v = first + i * step
            cdf = self.cdf_at(centre + scale * np.sinh(v))
            total += cdf * (1 - cdf) * np.cosh(v)
        return total * step * scale
