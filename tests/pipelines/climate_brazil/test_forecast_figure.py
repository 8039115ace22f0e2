"""The picture of one series shows what it is given: no part of a forecast is lost, names stay text."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.figures import svg
from retraining.pipelines.climate_brazil.figures.forecast import ForecastTables, forecast_svg

SVG = "{http://www.w3.org/2000/svg}"


def monthly(start: date, n: int, values: list[float | None] | None = None) -> pl.DataFrame:
    months = pl.date_range(start, pl.lit(start).dt.offset_by(f"{n - 1}mo"), "1mo", eager=True).alias("date")
    season = [26 + 2 * float(np.sin(2 * np.pi * k / 12)) for k in range(n)]
    return pl.DataFrame({"date": months, "temperature": pl.Series(values or season, dtype=pl.Float64)})


def forecast(start: date, n: int) -> pl.DataFrame:
    mean = pl.col("temperature")
    return monthly(start, n).select("date", mean=mean, low_80=mean - 1, high_80=mean + 1)


def station(label: str = "Belém", simulated: bool = False, n_ahead: int = 12, **replaced: pl.DataFrame) -> bytes:
    parts = {
        "observed": monthly(date(1990, 1, 1), 360),
        "in_sample": forecast(date(1990, 1, 1), 348),
        "holdout_forecast": forecast(date(2019, 1, 1), 12),
        "holdout_actuals": monthly(date(2019, 1, 1), 12),
        "ahead": forecast(date(2020, 1, 1), n_ahead),
    }
    return forecast_svg(label, ForecastTables(**(parts | replaced)), simulated)


def words(picture: bytes) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def drawn(picture: bytes, view: str, name: str, kind: str) -> str:
    """Path data of a named part in one view; empty where there is none."""
    (panel,) = (group for group in ElementTree.fromstring(picture).iter(f"{SVG}g") if group.get("id") == view)
    for group in panel.iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None and title.text == name:
            return next(path.attrib["d"] for path in group if path.get("class") == kind)
    return ""


def ticks(picture: bytes, view: str) -> dict[str, float]:
    (panel,) = (group for group in ElementTree.fromstring(picture).iter(f"{SVG}g") if group.get("id") == view)
    return {text.text or "": float(text.attrib["x"]) for text in panel if text.tag == f"{SVG}text"}


class TestForecastFigure:
    def test_every_part_is_named_with_its_unit(self) -> None:
        assert {
            "Belém",
            "Monthly mean temperature to December 2019, forecast to December 2020",
            "Temperature (°C)",
            "training ended Dec 2018",
            "since January 2005",
            "close-up",
            "in-sample mean, 80 % HDI",
            "held-out forecast, 80 % HDI",
            "forecast ahead (refitted), 80 % HDI",
            "observed",
            "observed, held out",
        } <= set(words(station()))

    @pytest.mark.parametrize("simulated", [True, False])
    def test_says_simulated_sample_exactly_when_it_is(self, simulated: bool) -> None:
        assert ("simulated sample" in words(station(simulated=simulated))) is simulated

    @pytest.mark.parametrize("view", ["context", "close-up"])
    def test_training_ends_between_two_months(self, view: str) -> None:
        picture = station()
        (panel,) = (group for group in ElementTree.fromstring(picture).iter(f"{SVG}g") if group.get("id") == view)
        (line,) = (path.attrib["d"] for path in panel.iter(f"{SVG}path") if path.get("class") == "split")
        before = x_of(drawn(picture, view, "observed", "marks"))[-1]
        after = x_of(drawn(picture, view, "observed, held out", "marks"))[0]
        assert before < x_of(line)[0] < after

    def test_values_lie_where_the_axes_say(self) -> None:
        picture = station()
        marks = drawn(picture, "context", "observed", "marks")
        years = {word: x for word, x in ticks(picture, "context").items() if re.fullmatch(r"(19|20)\d\d", word)}
        assert list(years) == ["2005", "2010", "2015", "2020"]
        xs = x_of(marks)
        assert len(xs) == 168  # January 2005 to December 2018
        assert xs[0] == pytest.approx(years["2005"], abs=0.1)
        assert xs[60] == pytest.approx(years["2010"], abs=0.1)
        # The value of January is 26, of April 28 and of October 24: a grid line each.
        ys = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)h0", marks)]
        (panel,) = (group for group in ElementTree.fromstring(picture).iter(f"{SVG}g") if group.get("id") == "context")
        rows = {text.text: float(text.attrib["y"]) - 4 for text in panel.iter(f"{SVG}text")}
        assert [ys[0], ys[3], ys[9]] == pytest.approx([rows["26"], rows["28"], rows["24"]], abs=0.2)

    def test_held_out_months_have_their_own_marks_and_are_drawn_once(self) -> None:
        picture = station()
        observed, held = (drawn(picture, "context", name, "marks") for name in ("observed", "observed, held out"))
        assert "h0" in observed
        assert "h0" not in held
        assert len(x_of(held)) == 12
        assert max(x_of(observed)) < min(x_of(held))

    def test_missing_actuals_are_not_drawn(self) -> None:
        actuals = monthly(date(2019, 1, 1), 3, [25, None, 26])
        assert len(x_of(drawn(station(holdout_actuals=actuals), "context", "observed, held out", "marks"))) == 2

    def test_a_month_that_the_fit_skips_interrupts_line_and_band(self) -> None:
        whole = station()
        name = "in-sample mean, 80 % HDI"
        skipping = station(in_sample=forecast(date(1990, 1, 1), 348).filter(pl.col("date") != date(2010, 5, 1)))
        for kind in ("mean", "area"):
            assert drawn(whole, "context", name, kind).count("M") == 1
            assert drawn(skipping, "context", name, kind).count("M") == 2

    def test_a_forecast_of_one_month_is_seen(self) -> None:
        path = drawn(station(n_ahead=1), "context", "forecast ahead (refitted), 80 % HDI", "mean")
        first, last = (float(x) for x in re.findall(r"(?:M| )([\d.]+) [\d.]+", path))
        assert first < last

    def test_without_a_holdout_training_ends_at_the_newest_observation(self) -> None:
        nothing = forecast(date(2019, 1, 1), 1).clear()
        shown = words(
            station(holdout_forecast=nothing, holdout_actuals=monthly(date(2019, 1, 1), 1).clear(), ahead=nothing)
        )

        assert "training ended Dec 2019" in shown
        assert "Monthly mean temperature to December 2019" in shown
        assert not any("held" in text or "ahead" in text for text in shown)

    def test_fifty_years_ahead_leave_the_close_up_readable(self) -> None:
        picture = station(n_ahead=600)
        assert "2060" in ticks(picture, "context")
        assert [year for year in ticks(picture, "close-up") if year.startswith("20")] == [
            *("2017", "2018", "2019", "2020", "2021")
        ]

    def test_one_month_of_one_value_has_axes(self) -> None:
        nothing = forecast(date(2019, 1, 1), 1).clear()
        actuals = monthly(date(2019, 1, 1), 1).clear()
        one = monthly(date(2019, 1, 1), 1, [21.5])
        picture = station(observed=one, in_sample=nothing, holdout_forecast=nothing, holdout_actuals=actuals,
                          ahead=nothing)  # fmt: skip
        assert len(x_of(drawn(picture, "context", "observed", "marks"))) == 1

    def test_whatever_a_label_holds_stays_text(self) -> None:
        label = "<script>alert(1)</script> & $\\frac{$ \"'"
        assert label in words(station(label=label))
        assert b"<script" not in station(label=label)
        assert "a\N{REPLACEMENT CHARACTER}b" in words(station(label="a\x00b"))

    def test_no_observation_is_an_error_that_names_the_series(self) -> None:
        with pytest.raises(ValueError, match="Belém: no observed temperature"):
            station(observed=monthly(date(2000, 1, 1), 2, [None, None]))

    def test_threads_draw_the_same_at_once(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            pictures = set(pool.map(lambda _: station(), range(8)))
        assert pictures == {station()}

    def test_it_is_small_and_asks_nothing_of_elsewhere(self) -> None:
        picture = station()
        assert len(picture) <= 30_000
        assert set(re.findall(rb"https?://[^\"']*", picture)) == {b"http://www.w3.org/2000/svg"}


def x_of(path: str) -> list[float]:
    """Where the marks of a path begin."""
    return [float(x) for x in re.findall(r"M([\d.]+) ?", path)]


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [
        (20.8, 30.1, [22, 24, 26, 28, 30]),
        (-3.2, 4.1, [-2, 0, 2, 4]),
        (0.11, 0.34, [0.15, 0.2, 0.25, 0.3]),
        (-120, 900, [0, 500]),
    ],
)
def test_values_at_the_axis_are_round(low: float, high: float, steps: list[float]) -> None:
    assert svg.round_steps(low, high, 5) == steps
