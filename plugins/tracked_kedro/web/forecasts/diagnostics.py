"""What a fit says about itself, in words: good, fair or bad, with the number behind it.

Bounds: k-hat after Vehtari, Simpson, Gelman, Yao, Gabry (2024), "Pareto smoothed importance sampling"; R-hat and the
effective sample size after Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), "Rank-normalization, folding, and
localization". Those of rounds, seconds and scores are this page's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """How to read a number.

    Attributes:
        label: what it is called.
        good: up to here it is good; with `higher`, from here.
        fair: up to here it is fair, and bad beyond.
        higher: whether more is better.
    """

    label: str
    good: float
    fair: float
    higher: bool = False

    def word(self, value: float) -> str:
        """`Meaning("k-hat", 0.5, 0.7).word(0.6)` is "fair"; what is no number is bad."""
        sign = -1.0 if self.higher else 1.0
        if sign * value <= sign * self.good:
            return "good"
        return "fair" if sign * value <= sign * self.fair else "bad"


MEANINGS = {
    "skill_vs_seasonal_naive": Meaning("Skill against the seasonal naive forecast", 0.05, 0.0, higher=True),
    "coverage_80": Meaning("Share of held-out months in the 80 % interval", 0.7, 0.55, higher=True),
    "k_hat": Meaning("How well the draws stand for the posterior (Pareto k-hat)", 0.5, 0.7),
    "ess": Meaning("Independent draws that the forecast is worth (ESS)", 400, 100, higher=True),
    "r_hat": Meaning("Whether the chains agree (R-hat)", 1.01, 1.05),
    "divergences": Meaning("Divergent transitions", 0, 0),
    "rounds": Meaning("Rounds until the draws fitted (0: those of last month did)", 2, 4),
    "seconds": Meaning("Seconds to fit", 5, 60),
}


@dataclass(frozen=True)
class Judged:
    """A number with its word."""

    label: str
    word: str
    number: str


def judged(metrics: Mapping[str, float]) -> list[Judged]:
    """Those of a child run's metrics that have a meaning here, in the order of `MEANINGS`."""
    return [
        Judged(meaning.label, meaning.word(metrics[name]), f"{metrics[name]:.4g}".replace("-", "−"))
        for name, meaning in MEANINGS.items()
        if name in metrics
    ]
