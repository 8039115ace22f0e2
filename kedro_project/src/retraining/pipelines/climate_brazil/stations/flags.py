"""Observations that a series cannot have had: far outside its own months, repeated, in another unit, another series'.

Whole columns at once, so that ten thousand series take seconds. Nothing is corrected here, only named.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping

import polars as pl

from retraining.pipelines.climate_brazil.parameters import Flags

# sd of a normal distribution over its median absolute deviation.
_SD_OVER_MAD = 1.4826
_JUMP_MONTHS = 24
# As many times the least jump is as much as one month may say for or against one.
_WILD = 4
# Fewer different values, or fewer in a year, are of rounded or made-up data, where equal ones mean nothing.
_FINELY_RECORDED, _DISTINCT_IN_YEAR = 30, 4
# Of a group that stands in for a short history.
_GROUP_SERIES = 3

OUTLIER, UNIT, RUN, COPY, JUMP = "outlier", "unit", "equal run", "copy", "level jump"
SCHEMA = {"series": pl.String, "date": pl.Date, "temperature": pl.Float64, "kind": pl.String, "reason": pl.String}
_MONTHS = dict(enumerate(calendar.month_name))
_KEYS = ["series", "date", "temperature"]


def find_flags(table: pl.DataFrame, groups: Mapping[str, str], rules: Flags) -> pl.DataFrame:
    """The doubtful observations, at most one row each, in the order of the table.

    Args:
        table: (series, date, temperature in °C, null = missing), each series' months without a gap, sorted.
        groups: group by series; series that are not in it belong to the fleet alone.
        rules: what is doubtful.

    Returns:
        Rows of `SCHEMA`; `reason` says in words what is expected of that series and month.
    """
    # Grouping by whole numbers is many times faster than by text.
    every_month = table.with_row_index("row").with_columns(
        id=pl.col("series").rle_id(), month=pl.col("date").dt.month()
    )
    every_month = every_month.with_columns(key=12 * pl.col("id") + pl.col("month"))
    every_month = every_month.with_columns(median=pl.col("temperature").median().over("key"))
    observed = every_month.drop_nulls("temperature")
    outliers = _outliers(_with_bounds(observed, groups, rules))
    # A year of wild values is no level of its own.
    wild = pl.col("row").is_in(outliers["row"].implode())
    calm = every_month.with_columns(temperature=pl.when(~wild).then("temperature"))
    found = [outliers, _copies(observed), _runs(observed, rules.equal_values), _jumps(calm, rules)]
    rows = pl.concat(found).unique("row", keep="first", maintain_order=True).sort("row")
    return rows.select(SCHEMA.keys()).cast(SCHEMA)  # type: ignore[arg-type]


def _named(rows: pl.DataFrame, kind: str | pl.Expr, reason: pl.Expr) -> pl.DataFrame:
    return rows.select("row", *_KEYS, kind=pl.lit(kind) if isinstance(kind, str) else kind, reason=reason)


def _with_bounds(observed: pl.DataFrame, groups: Mapping[str, str], rules: Flags) -> pl.DataFrame:
    """The least and greatest possible value (null where nothing tells them), and whose months say so."""
    deviation = (pl.col("temperature") - pl.col("median")).abs().median() * _SD_OVER_MAD
    reach = rules.deviations * pl.col("sd")
    rows = observed.with_columns(n=pl.len().over("key"), sd=deviation.over("key").clip(lower_bound=rules.floor))
    rows = rows.with_columns(low=pl.col("median") - reach, high=pl.col("median") + reach, of=pl.lit("its own"))
    short = pl.col("n") < rules.min_years
    if rows.filter(short).is_empty():
        return rows
    rows = rows.with_columns(group=pl.col("series").replace_strict(dict(groups), default="", return_dtype=pl.String))
    own = rows.filter(~short).unique("key")
    # Series without a group are no group.
    named = own.filter(pl.col("group") != "")
    found, left = [rows.filter(~short)], rows.filter(short).drop("low", "high", "of")
    for members, keys, of in ((named, ["group", "month"], "its group's"), (own, ["month"], "the fleet's")):
        # What is possible in one of the others is possible: a group may hold several climates.
        others = members.group_by(keys).agg(pl.col("low").min(), pl.col("high").max(), members=pl.len())
        others = others.filter(pl.col("members") >= _GROUP_SERIES)
        joined = left.join(others.drop("members"), on=keys, how="left").with_columns(of=pl.lit(of))
        outside = ~pl.col("temperature").is_between("low", "high")
        # A series most of which is outside has a climate of its own: the others say nothing about it.
        alien = (outside.mean().over("id") > 0.5).fill_null(True) | pl.col("low").is_null()
        found.append(joined.filter(~alien).select(rows.columns))
        left = joined.filter(alien).drop("low", "high", "of")
    return pl.concat([one.select(rows.columns) for one in found])


def _outliers(rows: pl.DataFrame) -> pl.DataFrame:
    outside = rows.filter(~pl.col("temperature").is_between("low", "high"))
    middle, reach = (pl.col("high") + pl.col("low")) / 2, (pl.col("high") - pl.col("low")) / 2

    def reads(converted: pl.Expr) -> pl.Expr:
        # Nearer than a value must be, since what is far from one scale is easily within reach of the other.
        return (converted - middle).abs() <= reach / 2

    outside = outside.with_columns(
        unit=pl.when(reads((pl.col("temperature") - 32) / 1.8))
        .then(pl.lit("reads like °F; "))
        .when(reads(pl.col("temperature") * 1.8 + 32))
        .then(pl.lit("reads like °C among °F; "))
        .otherwise(pl.lit("")),
        low=pl.col("low").round(1),
        high=pl.col("high").round(1),
        name=pl.col("month").replace_strict(_MONTHS, return_dtype=pl.String),
    )
    return _named(
        outside,
        pl.when(pl.col("unit") == "").then(pl.lit(OUTLIER)).otherwise(pl.lit(UNIT)),
        pl.format("{}outside {} to {} °C, what {} {} months allow", "unit", "low", "high", "of", "name"),
    )


def _runs(observed: pl.DataFrame, at_least: int) -> pl.DataFrame:
    """All but the first of a run: that one may be true."""
    rows = observed.with_columns(run=pl.struct("id", "temperature").rle_id())
    rows = rows.with_columns(length=pl.len().over("run")).filter(pl.col("length") >= at_least)
    fine = observed.filter(pl.col("id").is_in(rows["id"].unique().implode()))
    fine = fine.group_by("id").agg(pl.col("temperature").n_unique()).filter(pl.col("temperature") >= _FINELY_RECORDED)
    rows = rows.filter(pl.col("id").is_in(fine["id"].implode())).with_columns(begin=pl.col("date").first().over("run"))
    reason = pl.format("the same value {} times from {} on", "length", pl.col("begin").cast(pl.String).str.slice(0, 7))
    return _named(rows.filter(pl.col("date") > pl.col("begin")), RUN, reason)


def _copies(observed: pl.DataFrame) -> pl.DataFrame:
    """Years of a series that are those of one that stands above it, where most of its years are."""
    rows = observed.with_columns(year=pl.col("date").dt.year())
    years = (
        rows.group_by("id", "year", maintain_order=True)
        .agg("temperature", pl.col("series").first())
        .filter((pl.col("temperature").list.len() == 12) & (pl.col("temperature").list.n_unique() >= _DISTINCT_IN_YEAR))
        .with_columns(original=pl.col("series").first().over("year", "temperature"), complete=pl.len().over("id"))
        .filter(pl.col("original") != pl.col("series"))
        .with_columns(shared=pl.len().over("id", "original"))
        .filter((pl.col("shared") >= 2) & (2 * pl.col("shared") >= pl.col("complete")))
    )
    twins = years.select("id", "year", "original", "shared")
    copied = rows.join(twins, on=["id", "year"], how="inner", maintain_order="left")
    return _named(copied, COPY, pl.format("{} whole years equal those of {}", "shared", "original"))


def _jumps(every_month: pl.DataFrame, rules: Flags) -> pl.DataFrame:
    """The first month of another level: the medians of two years before and after it, season taken out, differ."""
    anomaly = pl.col("temperature") - pl.col("median")
    rows = every_month.select("id", "date", anomaly=anomaly)
    # Means tell in a tenth of the time which series are worth the medians; cut off, as one month is no level.
    wild = _WILD * rules.jump
    means = rows.with_columns(before=_of_two_years(pl.col("anomaly").clip(-wild, wild), "mean"))
    means = means.filter(_step().abs().max().over("id") > rules.jump / 2)
    high = means.with_columns(before=_of_two_years(pl.col("anomaly"), "median")).with_columns(step=_step())
    high = high.with_columns(size=pl.col("step").abs())
    usual = pl.col("size").median().over("id") * _SD_OVER_MAD
    is_high = pl.col("size") > pl.max_horizontal(pl.lit(rules.jump), rules.deviations * usual)
    high = high.with_columns(high=is_high.fill_null(False)).with_columns(stretch=pl.struct("id", "high").rle_id())
    peaks = high.filter(pl.col("high") & (pl.col("size") == pl.col("size").max().over("stretch")))
    peaks = peaks.unique("stretch", keep="first", maintain_order=True).select("id", "step", since="date")
    following = (
        every_month.drop_nulls("temperature")
        .join(peaks, on="id", how="inner", maintain_order="left")
        .filter(pl.col("date") > pl.col("since"))
        .unique(["id", "since"], keep="first", maintain_order=True)
    )
    direction = pl.when(pl.col("step") > 0).then(pl.lit("warmer")).otherwise(pl.lit("colder"))
    reason = pl.format("from here on {} °C {} than before", pl.col("step").abs().round(1), direction)
    return _named(following, JUMP, reason)


def _of_two_years(values: pl.Expr, of: str) -> pl.Expr:
    rolling = values.rolling_mean if of == "mean" else values.rolling_median
    return rolling(_JUMP_MONTHS, min_samples=_JUMP_MONTHS // 2).over("id")


def _step() -> pl.Expr:
    # The window that ends 24 months later begins with the next month.
    return pl.col("before").shift(-_JUMP_MONTHS).over("id") - pl.col("before")
