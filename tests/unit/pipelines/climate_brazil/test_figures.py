"""The pictures show what they are given: gaps stay gaps, names stay text, no part of a forecast is lost."""

import io
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import matplotlib.dates
import numpy as np
import polars as pl
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure
from PIL import Image

from retraining.pipelines.climate_brazil.figures import (
    MAX_LINES,
    figure_png,
    forecast_figure,
    model_graph_picture,
    timeseries_figure,
)


def monthly(start: date, n: int, values: list[float | None] | None = None) -> pl.DataFrame:
    months = pl.date_range(start, pl.lit(start).dt.offset_by(f"{n - 1}mo"), "1mo", eager=True).alias("date")
    season = [26 + 2 * float(np.sin(2 * np.pi * k / 12)) for k in range(n)]
    return pl.DataFrame({"date": months, "temperature": pl.Series(values or season, dtype=pl.Float64)})


def forecast(start: date, n: int) -> pl.DataFrame:
    mean = pl.col("temperature")
    return monthly(start, n).select(
        "date", mean=mean, low_80=mean - 1, high_80=mean + 1, q10=mean - 1, q50=mean, q90=mean + 1
    )


def series(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(series=pl.lit(name), date="date", temperature="temperature")


def station(label: str = "Belém", simulated: bool = False, n_ahead: int = 12, **replaced: pl.DataFrame) -> Figure:
    parts = {
        "observed": monthly(date(1990, 1, 1), 360),
        "in_sample": forecast(date(1990, 1, 1), 348),
        "holdout_forecast": forecast(date(2019, 1, 1), 12),
        "holdout_actuals": monthly(date(2019, 1, 1), 12),
        "ahead": forecast(date(2020, 1, 1), n_ahead),
    }
    return forecast_figure(label, **(parts | replaced), simulated=simulated)


def words(figure: Figure) -> list[str]:
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes.yaxis.label]
    return [text.get_text() for text in texts]


class TestTimeseriesFigure:
    def test_missing_and_absent_months_are_both_gaps(self) -> None:
        full = monthly(date(2000, 1, 1), 8, [20, 21, None, 23, 24, 25, 26, 27])
        figure = timeseries_figure(series("a", full.filter(pl.col("date") != date(2000, 6, 1))), {"a": "A"}, False)

        line = figure.data[0]
        assert len(line.x) == 8
        assert np.flatnonzero(np.isnan(line.y)).tolist() == [2, 5]
        assert line.connectgaps is False

    def test_a_month_between_gaps_is_a_visible_point_that_belongs_to_its_line(self) -> None:
        table = series("a", monthly(date(2000, 1, 1), 5, [20, None, 22, None, None]))
        line, points = timeseries_figure(table, {"a": "A"}, False).data

        assert [*points.x] == [date(2000, 1, 1), date(2000, 3, 1)]
        assert points.mode == "markers"
        assert points.showlegend is False
        assert points.legendgroup == line.legendgroup

    def test_range_buttons_slider_and_units(self) -> None:
        layout = timeseries_figure(series("a", monthly(date(1950, 1, 1), 840)), {"a": "A"}, False).layout

        assert [button.label for button in layout.xaxis.rangeselector.buttons] == [
            "5 y",
            "10 y",
            "30 y",
            "all",
        ]
        assert [button.count for button in layout.xaxis.rangeselector.buttons[:3]] == [5, 10, 30]
        assert layout.xaxis.rangeslider.visible is True
        assert layout.yaxis.title.text == "Temperature (°C)"
        assert layout.xaxis.title.text == "Month"
        assert [*layout.xaxis.range] == [date(2009, 12, 1), date(2019, 12, 1)]

    def test_legend_follows_the_labels_and_escapes_them(self) -> None:
        table = pl.concat([series(name, monthly(date(2000, 1, 1), 24)) for name in ("b", "a", "new")])
        figure = timeseries_figure(table, {"a": "São Luís", "b": "<b>x</b>", "unused": "No data"}, False)

        assert [trace.name for trace in figure.data] == ["São Luís", "&lt;b&gt;x&lt;/b&gt;", "new"]
        assert all("°C" in trace.hovertemplate for trace in figure.data)

    def test_twelve_series_are_told_apart_by_colour_and_dash(self) -> None:
        names = [f"s{k}" for k in range(12)]
        table = pl.concat([series(name, monthly(date(2000, 1, 1), 24)) for name in names])
        figure = timeseries_figure(table, {name: name for name in names}, False)

        assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 12

    def test_many_series_become_a_band_with_a_note(self) -> None:
        n = MAX_LINES + 11
        levels = [float(k) for k in range(n)]
        table = pl.concat([series(f"s{k:03}", monthly(date(2000, 1, 1), 2, [levels[k], None])) for k in range(n)])
        figure = timeseries_figure(table, {}, False)

        high, low, median = figure.data[:3]
        assert [median.y[0], low.y[0], high.y[0]] == pytest.approx(np.quantile(levels, [0.5, 0.1, 0.9]))
        switched_off = {trace.name for trace in figure.data[3:] if trace.visible == "legendonly"}
        assert switched_off == {f"s{k:03}" for k in range(MAX_LINES)}
        assert f"all {n} series" in figure.layout.title.subtitle.text
        assert f"first {MAX_LINES}" in figure.layout.title.subtitle.text

    @pytest.mark.parametrize("simulated", [True, False])
    def test_says_simulated_sample_exactly_when_it_is(self, simulated: bool) -> None:
        figure = timeseries_figure(series("a", monthly(date(2000, 1, 1), 24)), {"a": "A"}, simulated)
        assert ("simulated sample" in figure.to_json()) is simulated

    def test_an_empty_table_is_an_empty_plot(self) -> None:
        assert len(timeseries_figure(series("a", monthly(date(2000, 1, 1), 1)).clear(), {}, False).data) == 0


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


class TestModelGraphPicture:
    def fake_dot(self, folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
        dot = folder / "dot"
        dot.write_text(f"#!/bin/sh\n{script}\n")
        dot.chmod(dot.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def test_is_what_dot_makes_of_the_source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake_dot(tmp_path, 'echo "$1:"; cat', monkeypatch)
        assert model_graph_picture("digraph { β -> y }") == "-Tsvg:\ndigraph { β -> y }"

    def test_is_none_without_graphviz(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert model_graph_picture("digraph { a -> b }") is None

    def test_is_none_with_a_reason_where_dot_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.fake_dot(tmp_path, "echo 'syntax error in line 1' >&2; exit 1", monkeypatch)
        assert model_graph_picture("digraph {") is None
        assert "syntax error in line 1" in caplog.text

    @pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
    def test_real_graphviz_draws_every_node(self) -> None:
        picture = model_graph_picture("digraph { sigma -> y }")
        assert picture is not None
        assert "<svg" in picture
        assert "sigma" in picture
