"""The picture of one series shows what it is given: no part of a forecast is lost, names stay text."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import matplotlib.dates
import numpy as np
import polars as pl
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure
from PIL import Image

from retraining.pipelines.climate_brazil.figures.forecast import ForecastTables, figure_png, forecast_figure


def monthly(start: date, n: int, values: list[float | None] | None = None) -> pl.DataFrame:
    months = pl.date_range(start, pl.lit(start).dt.offset_by(f"{n - 1}mo"), "1mo", eager=True).alias("date")
    season = [26 + 2 * float(np.sin(2 * np.pi * k / 12)) for k in range(n)]
    return pl.DataFrame({"date": months, "temperature": pl.Series(values or season, dtype=pl.Float64)})


def forecast(start: date, n: int) -> pl.DataFrame:
    mean = pl.col("temperature")
    return monthly(start, n).select(
        "date", mean=mean, low_80=mean - 1, high_80=mean + 1, q10=mean - 1, q50=mean, q90=mean + 1
    )


def station(label: str = "Belém", simulated: bool = False, n_ahead: int = 12, **replaced: pl.DataFrame) -> Figure:
    parts = {
        "observed": monthly(date(1990, 1, 1), 360),
        "in_sample": forecast(date(1990, 1, 1), 348),
        "holdout_forecast": forecast(date(2019, 1, 1), 12),
        "holdout_actuals": monthly(date(2019, 1, 1), 12),
        "ahead": forecast(date(2020, 1, 1), n_ahead),
    }
    return forecast_figure(label, ForecastTables(**(parts | replaced)), simulated)


def words(figure: Figure) -> list[str]:
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes.yaxis.label]
    return [text.get_text() for text in texts]


class TestForecastFigure:
    def test_every_part_is_named_with_its_unit(self) -> None:
        shown = words(station())

        assert {
            "Belém",
            "Monthly mean temperature to December 2019, forecast to December 2020",
            "Temperature (°C)",
            "training ended Dec 2018",
            "since January 2005",
            "in-sample mean, 80 % HDI",
            "held-out forecast, 80 % HDI",
            "forecast ahead (refitted), 80 % HDI",
            "observed",
            "observed, held out",
        } <= set(shown)

    @pytest.mark.parametrize("simulated", [True, False])
    def test_says_simulated_sample_exactly_when_it_is(self, simulated: bool) -> None:
        assert ("simulated sample" in words(station(simulated=simulated))) is simulated

    def test_context_shows_fifteen_years_and_training_ends_between_two_months(self) -> None:
        context, close_up = station().axes
        first, last = (matplotlib.dates.num2date(x).date() for x in context.get_xlim())

        assert (first, last) == (date(2004, 12, 1), date(2021, 1, 1))
        for axes in (context, close_up):
            line = axes.lines[-1].get_xdata()[0]
            assert date(2018, 12, 1) < line < date(2019, 1, 1)

    def test_held_out_months_have_their_own_markers_and_are_drawn_once(self) -> None:
        context = station().axes[0]
        lines = {line.get_label(): line for line in context.lines}

        assert lines["observed"].get_marker() != lines["observed, held out"].get_marker()
        assert len(lines["observed, held out"].get_xdata()) == 12
        assert max(lines["observed"].get_xdata()) == np.datetime64("2018-12-01")

    def test_missing_actuals_are_not_drawn(self) -> None:
        actuals = monthly(date(2019, 1, 1), 3, [25, None, 26])
        context = station(holdout_actuals=actuals).axes[0]
        drawn = next(line for line in context.lines if line.get_label() == "observed, held out")
        assert [*drawn.get_ydata()] == [25, 26]

    def test_a_month_that_the_fit_skips_interrupts_line_and_band(self) -> None:
        in_sample = forecast(date(1990, 1, 1), 348).filter(pl.col("date") != date(2010, 5, 1))
        context = station(in_sample=in_sample).axes[0]
        mean = next(line for line in context.lines if line.get_label().startswith("in-sample"))
        band = next(shape for shape in context.collections if shape.get_label().startswith("in-sample"))

        assert np.isnan(mean.get_ydata()).sum() == 1
        assert len(band.get_paths()) == 2 or len(band.get_paths()[0].to_polygons()) == 2

    def test_without_a_holdout_training_ends_at_the_newest_observation(self) -> None:
        nothing = forecast(date(2019, 1, 1), 1).clear()
        shown = words(
            station(holdout_forecast=nothing, holdout_actuals=monthly(date(2019, 1, 1), 1).clear(), ahead=nothing)
        )

        assert "training ended Dec 2019" in shown
        assert "Monthly mean temperature to December 2019" in shown
        assert not any("held" in text or "ahead" in text for text in shown)

    def test_fifty_years_ahead_leave_the_close_up_readable(self) -> None:
        context, close_up = station(n_ahead=600).axes
        assert matplotlib.dates.num2date(context.get_xlim()[1]).year == 2070
        assert matplotlib.dates.num2date(close_up.get_xlim()[1]).date() == date(2022, 1, 1)

    def test_dollar_signs_and_tags_in_a_label_stay_text(self) -> None:
        figure = station(label="<b>$\\frac{$")
        figure_png(figure)  # would raise if parsed as mathematics
        assert "<b>$\\frac{$" in words(figure)

    def test_no_observation_is_an_error_that_names_the_series(self) -> None:
        with pytest.raises(ValueError, match="Belém: no observed temperature"):
            station(observed=monthly(date(2000, 1, 1), 2, [None, None]))

    def test_threads_draw_at_once_and_pyplot_keeps_nothing(self) -> None:
        alone = figure_png(station())
        with ThreadPoolExecutor(4) as pool:
            pictures = list(pool.map(lambda _: figure_png(station()), range(8)))

        assert set(pictures) == {alone}
        assert Gcf.get_num_fig_managers() == 0


def test_png_is_small_white_and_keeps_the_bands_apart() -> None:
    picture = figure_png(station())
    image = Image.open(io.BytesIO(picture))
    colours = {colour for _, colour in sorted(image.convert("RGB").getcolors(1 << 16), reverse=True)[:12]}

    assert image.format == "PNG"
    assert image.size == (1200, 480)
    assert len(picture) <= 100_000
    assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    for band in (
        (204, 227, 240),
        (204, 236, 227),
        (247, 223, 204),
    ):  # 20 % of blue, green and vermillion on white
        assert any(max(abs(a - b) for a, b in zip(band, colour, strict=True)) <= 6 for colour in colours)
