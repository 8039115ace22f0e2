"""A line through the daily means of each place."""

import polars as pl
from kedro.pipeline import Pipeline, node, pipeline
from sklearn.linear_model import Ridge


def select(daily: pl.DataFrame, place: str):
    """The days of one place."""
    return daily.filter(pl.col("place") == place).to_pandas()


def fit(selected, model_options: dict) -> Ridge:
    """Value as a linear function of the day."""
    features = selected[["day"]]
    return Ridge(alpha=model_options["alpha"]).fit(features, selected["value"])


def score(line: Ridge, selected) -> float:
    """Share of the variance that the line explains."""
    return line.score(selected[["day"]], selected["value"])


def compare(north: float, south: float):
    """Both places in a table of one row."""
    return pl.DataFrame({"north": [north], "south": [south], "worse": [min(north, south)]}).to_pandas()


def create_pipeline(**kwargs) -> Pipeline:
    one = Pipeline(
        [
            node(select, ["daily@polars", "params:place"], "selected", name="select"),
            node(fit, ["selected", "params:model_options"], "line", name="fit"),
            node(score, ["line", "selected"], "score", name="score"),
        ]
    )
    places = [
        pipeline(one, namespace=name, inputs={"daily@polars"}, parameters={"params:model_options"})
        for name in ("north", "south")
    ]
    return sum(places, Pipeline([])) + Pipeline([node(compare, ["north.score", "south.score"], "summary", name="compare")])
