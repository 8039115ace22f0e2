"""Pictures of a run beside the champion: what differs most is shown, with its name."""

from __future__ import annotations

import io
from datetime import date

import polars as pl
from matplotlib.figure import Figure
from PIL import Image

from retraining.pipelines.climate_brazil.champion.comparison import held_out_crps
from retraining.pipelines.climate_brazil.figures.champion import SHOWN_SCORES, forecasts_figure, scores_figure
from retraining.pipelines.climate_brazil.figures.png import figure_png
from tests.pipelines.climate_brazil.test_comparison import forecasts

CUTOFF = date(2019, 2, 1)
OBSERVED = pl.DataFrame({"series": "belem", "date": [date(2018, 12, 1), date(2019, 1, 1)], "temperature": [25.0, None]})


def words(figure: Figure) -> set[str]:
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        texts += [*axes.texts, axes._left_title]
    return {text.get_text() for text in texts}


def test_scores_show_the_largest_changes_first():
    names = [f"s{place:02}" for place in range(SHOWN_SCORES + 5)]
    own = pl.concat([forecasts(25.0 + place / 10, 1, series=name) for place, name in enumerate(names)])
    champions = pl.concat([forecasts(25.0, 0, series=name) for name in names])
    figure = scores_figure(held_out_crps(own, champions, names), {"s19": "$Belém$"}, simulated=True)
    assert figure is not None
    shown = words(figure)
    assert {"$Belém$", "s18", "champion", "challenger", "simulated sample"} <= shown
    assert not {"s00", "s04"} & shown
    # What is drawn is the mean CRPS of each: of the champion the same for all.
    drawn = {line.get_label(): line.get_xdata()[0] for line in figure.axes[0].lines if line.get_label()[0] != "_"}
    assert drawn["challenger"] > drawn["champion"] > 0


def test_without_a_champion_there_are_forecasts_but_no_scores():
    own = pl.concat([forecasts(25.0, 1), forecasts(25.0, 13, kind="ahead").with_columns(q10=24.0, q90=26.0)])
    nothing = own.clear()
    assert scores_figure(held_out_crps(own, nothing, ["belem"]), {}, simulated=False) is None
    figure = forecasts_figure(own, nothing, OBSERVED, {"belem": "Belém"}, CUTOFF, simulated=False)
    assert figure is not None
    assert words(figure) == {"Forecasts", "Belém", "observed", "challenger, 80 %"}
    assert forecasts_figure(nothing, nothing, OBSERVED, {}, CUTOFF, simulated=False) is None


def test_forecasts_that_moved_most_are_shown_with_the_champions():
    def ahead(mean: float, series: str) -> pl.DataFrame:
        return forecasts(mean, 13, kind="ahead", series=series).with_columns(q10=mean - 1, q90=mean + 1)

    names = ["a", "b", "c", "d"]
    own = pl.concat([ahead(25.0 + place, name) for place, name in enumerate(names)])
    champions = pl.concat([ahead(25.0, name) for name in names])
    figure = forecasts_figure(own, champions, OBSERVED, {}, CUTOFF, simulated=False)
    assert figure is not None
    assert [axes._left_title.get_text() for axes in figure.axes] == ["d", "c", "b"]
    assert "champion" in words(figure)


def test_png_is_small_white_and_keeps_the_bands_apart():
    figure = Figure(figsize=(12, 4.8), dpi=100, facecolor="white")
    axes = figure.subplots()
    colours = {"#0072B2": (204, 227, 240), "#009E73": (204, 236, 227), "#D55E00": (247, 223, 204)}
    for place, colour in enumerate(colours):
        axes.fill_between([place, place + 1], 0, 1, color=colour, alpha=0.2, lw=0)
    picture = figure_png(figure)
    image = Image.open(io.BytesIO(picture))
    seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 16)}

    assert image.format == "PNG"
    assert image.size == (1200, 480)
    assert len(picture) <= 30_000
    assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    for band in colours.values():  # 20 % of each on white
        assert any(max(abs(a - b) for a, b in zip(band, colour, strict=True)) <= 2 for colour in seen)
