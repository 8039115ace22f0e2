"""From one file to a table of days."""

import pandas as pd
from kedro.pipeline import Pipeline, node


def read_in_chunks(readings: pd.DataFrame):
    """Yield the readings in pieces, which the dataset appends."""
    for start in range(0, len(readings), 50):
        yield readings.iloc[start : start + 50]


def by_day(readings: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A partition a day."""
    readings.columns = ["place", "day", "value"]
    return {f"day_{day:02d}": rows for day, rows in readings.groupby("day")}


def new_days(days: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All days that were not seen yet."""
    return pd.concat(days.values())


def means(days: dict, seen: pd.DataFrame) -> pd.DataFrame:
    """Mean of each place and day."""
    table = pd.concat(load() for load in days.values())
    assert len(table) == len(seen)
    return table.groupby(["place", "day"], as_index=False)["value"].mean()


def create_pipeline(**kwargs) -> Pipeline:
    return Pipeline(
        [
            node(read_in_chunks, "readings", "appended", name="Lire-les.données"),
            node(by_day, "appended", "days", name="by-day"),
            node(new_days, "days_incremental", "seen"),
            node(means, ["days", "seen"], "daily@pandas", name="means"),
        ]
    )
