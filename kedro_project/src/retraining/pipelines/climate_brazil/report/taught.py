"""What the fleet has taught, for the report: a newcomer's prior in words, and the donors as points of a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.structural import Donor, ModelConfig

WIDTH, HEIGHT, MARGIN = 340, 230, 34
MOST_POINTS = 500
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Point:
    """A donor in a panel: pixels, half the length of its bar upwards (1 sd), and what a pointer shows."""

    x: float
    y: float
    bar: float
    title: str


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: above it.
        across: what its horizontal axis is.
        up: what its vertical axis is.
        points: the donors.
        outline: of the prior, one standard deviation around its mean, as corners of a polygon ("x,y x,y").
        x_ticks: (pixel, text).
        y_ticks: (pixel, text).
    """

    title: str
    across: str
    up: str
    points: Sequence[Point]
    outline: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Taught:
    """What a person reads.

    Attributes:
        in_words: whether this run's series borrow, and why.
        donors: how many series teach.
        from_champion: names of those whose numbers are the champion's.
        facts: what a series that is none of them is expected to be: name, value.
        panels: pictures, where anything was learnt.
    """

    in_words: str
    donors: int
    from_champion: Sequence[str]
    facts: Mapping[str, str]
    panels: Sequence[Panel]


def taught(fleet: LearntFleet, labels: Mapping[str, str], unit: str) -> Taught:
    """What `fleet` has taught.

    taught(fleet, {"rio": "Rio de Janeiro"}, "°C").facts

    Args:
        fleet: of the run.
        labels: name of each series for people.
        unit: of the observations.
    """
    lent = [labels.get(one, one) for one in fleet.from_champion]
    kinds = Counter(one.transform for one in fleet.prior.donors)
    facts: dict[str, str] = {}
    panels: list[Panel] = []
    if kinds:
        kind = max(kinds, key=lambda one: kinds[one])
        alike = [one for one in fleet.prior.donors if one.transform == kind]
        # No series has an empty id: this is the prior of a newcomer.
        model = fleet.prior.model_for("", fleet.model.model_copy(update={"transform": kind}))
        facts, panels = _facts(model, kind, unit), _panels(model, alike, labels, kind, unit)
    return Taught(fleet.in_words, len(fleet.prior.donors), lent, facts, panels)


def _units(kind: str, unit: str) -> str:
    return "of the logarithm" if kind == "log" else unit


def _facts(model: ModelConfig, kind: str, unit: str) -> dict[str, str]:
    shape, found = model.shape_prior, {}
    if shape is None:
        return {}
    for name, place, after in (("noise / slow swings (sd)", 0, ""), ("lengthscale of the swings", 1, " months")):
        sd = math.sqrt(shape.variance[place])
        low, mid, high = (math.exp(shape.mean[place] + step * sd) for step in (-1, 0, 1))
        found[name] = f"{mid:.2g}{after} (68 %: {low:.2g} to {high:.2g})"
    if model.seasonal_sd is not None:
        names = [f"{sd:.2g}" for sd in model.seasonal_sd]
        found["sd of the coefficients of harmonics 1 to " + str(len(names))] = (
            f"{', '.join(names)} {_units(kind, unit)}"
        )
    if model.pooled_slope_mean is not None and model.pooled_slope_sd is not None:
        mean = f"{model.pooled_slope_mean:+.2f}".replace("-", "\N{MINUS SIGN}")
        found["trend a decade"] = f"{mean} ± {model.pooled_slope_sd:.2f} {_units(kind, unit)}"
    return found


def _panels(
    model: ModelConfig, donors: Sequence[Donor], labels: Mapping[str, str], kind: str, unit: str
) -> list[Panel]:
    panels = []
    if model.shape_prior is not None:
        panels.append(_shapes(model, donors[:MOST_POINTS], labels))
    slopes = [one for one in donors if one.slope is not None][:MOST_POINTS]
    if model.pooled_slope_mean is not None and slopes:
        panels.append(_slopes(model, slopes, labels, _units(kind, unit)))
    return panels


def _shapes(model: ModelConfig, donors: Sequence[Donor], labels: Mapping[str, str]) -> Panel:
    prior = model.shape_prior
    assert prior is not None
    (v0, v1), cov = prior.variance, prior.covariance
    # Corners of the ellipse of one standard deviation, by the Cholesky factor of the covariance.
    l00, l10 = math.sqrt(v0), cov / math.sqrt(v0)
    l11 = math.sqrt(max(v1 - l10**2, 0.0))
    circle = [(math.cos(2 * math.pi * k / 48), math.sin(2 * math.pi * k / 48)) for k in range(48)]
    corners = [(prior.mean[1] + l10 * a + l11 * b, prior.mean[0] + l00 * a) for a, b in circle]
    places = [(one.shape[1], one.shape[0]) for one in donors]
    across, up = _scale([x for x, _ in (*places, *corners)], WIDTH), _scale([y for _, y in (*places, *corners)], HEIGHT)
    return Panel(
        title="Noise and slow swings",
        across="lengthscale, months",
        up="noise / swings (sd)",
        points=[
            Point(across(x), HEIGHT - up(y), 0.0, f"{labels.get(one.series, one.series)}: {math.exp(x):.2g} months")
            for one, (x, y) in zip(donors, places, strict=True)
        ],
        outline=" ".join(f"{across(x):.1f},{HEIGHT - up(y):.1f}" for x, y in corners),
        x_ticks=[(across(math.log(t)), f"{t:g}") for t in TICKS if MARGIN <= across(math.log(t)) <= WIDTH - MARGIN / 2],
        y_ticks=[
            (HEIGHT - up(math.log(t)), f"{t:g}") for t in TICKS if MARGIN <= up(math.log(t)) <= HEIGHT - MARGIN / 2
        ],
    )


def _slopes(model: ModelConfig, donors: Sequence[Donor], labels: Mapping[str, str], unit: str) -> Panel:
    assert model.pooled_slope_mean is not None and model.pooled_slope_sd is not None
    known = sorted((one.slope[0], math.sqrt(one.slope[1]), one.series) for one in donors if one.slope is not None)
    mean, sd = model.pooled_slope_mean, model.pooled_slope_sd
    ends = [value + side * error for value, error, _ in known for side in (-1, 1)]
    up = _scale([*ends, mean - sd, mean + sd], HEIGHT)
    width = WIDTH - 1.5 * MARGIN
    left, right = float(MARGIN), MARGIN + width
    band = [(left, mean - sd), (right, mean - sd), (right, mean + sd), (left, mean + sd)]
    step = 10 ** math.floor(math.log10(max(max(ends) - min(ends), 1e-6)))
    ticks = [step * k / 2 for k in range(math.floor(2 * min(ends) / step), math.ceil(2 * max(ends) / step) + 1)]
    return Panel(
        title="Trend",
        across="series, by their trend",
        up=f"{unit} a decade",
        points=[
            Point(
                left + width * (place + 0.5) / len(known),
                HEIGHT - up(value),
                abs(up(value + error) - up(value)),
                f"{labels.get(series, series)}: {value:+.2f} ± {error:.2f}",
            )
            for place, (value, error, series) in enumerate(known)
        ],
        outline=" ".join(f"{x:.1f},{HEIGHT - up(y):.1f}" for x, y in band),
        x_ticks=[],
        y_ticks=[(HEIGHT - up(t), f"{t:g}") for t in ticks if MARGIN <= up(t) <= HEIGHT - MARGIN / 2],
    )


def _scale(values: Sequence[float], size: int) -> Callable[[float], float]:
    """Pixels of a value, from `MARGIN` to `size` less half of it."""
    low, high = min(values), max(values)

    def pixels(value: float) -> float:
        return MARGIN + (0.04 + 0.92 * (value - low) / max(high - low, 1e-9)) * (size - 1.5 * MARGIN)

    return pixels
