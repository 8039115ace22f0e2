"""The pictures show what they are given: gaps stay gaps, names stay text, no part of a forecast is lost."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.figures.timeseries import MAX_LINES, timeseries_figure


def monthly(start: date, n: int, values: list[float | None] | None = None) -> pl.DataFrame:
    months = pl.date_range(start, pl.lit(start).dt.offset_by(f"{n - 1}mo"), "1mo", eager=True).alias("date")
    season = [26 + 2 * float(np.sin(2 * np.pi * k / 12)) for k in range(n)]
    return pl.DataFrame({"date": months, "temperature": pl.Series(values or season, dtype=pl.Float64)})


def series(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(series=pl.lit(name), date="date", temperature="temperature")


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

    def test_twelve_series_differ_by_colour_and_dash(self) -> None:
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
