"""Lines of a Kafka dump, `time,userid,request`, as a table of views and ratings. Vectorised, batch by batch.

What becomes of each kind of line:

| line | becomes |
|---|---|
| `GET /data/m/<movie>/<minute>.mpg` | a view of one minute |
| `GET /rate/<movie>=<rating>` | a rating, a whole number from 1 to 5 |
| `recommendation request …`, commas and all | known, of no use here: counted |
| time without seconds (`T08:40`), with a fraction or with `Z` | accepted; without seconds means `:00` |
| time with an offset (`+00:00`, `-0300`, `-03`) | accepted, converted to UTC |
| Unix time of 10 digits, or 13, 16 or 19 | accepted: seconds, milli-, micro- or nanoseconds |
| blanks inside a field (`T15 :42:39`, `the +godfather+1972`) | removed: no field of the format contains one |
| percent escapes in a movie id (`%2C`, `%C3%A9`) | decoded, so that both spellings are one movie |
| commas, `++`, capitals, a missing year in a movie id | accepted: an id is whatever stands between its delimiters |
| a minute past the runtime | accepted; the share watched is clipped at 1 |
| a minute beyond `LAST_MINUTE` | rejected, `minute` |
| a rating outside 1 to 5, or no whole number | rejected, `rating` |
| no such date or time (`2024-170-14`, `T16G:55`), before 1970, or later than the reading | rejected, `time` |
| a user id that is no number of at most 18 digits | rejected, `user` |
| a movie id with control characters | rejected, `movie` |
| any other request, also one cut off | rejected, `request` |
| fewer than three fields, also an empty line | rejected, `fields` |
| bytes that are no UTF-8 | rejected, `encoding` |
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl

#: Reasons in the order in which they are looked for: a line has the first that applies.
REASONS = ("fields", "encoding", "time", "user", "request", "movie", "minute", "rating")
#: A day; the longest film of the usual catalogues has 1,140 minutes, and a player counts no further than its film.
LAST_MINUTE = 1440
#: Characters of a rejected line that are kept.
SHOWN = 300

EVENTS = pl.Schema(
    {
        "time": pl.Datetime("us"),
        "user": pl.Int64(),
        "movie": pl.String(),
        "minute": pl.Int16(),
        "rating": pl.Int8(),
    }
)
REJECTS = pl.Schema({"line_number": pl.Int64, "reason": pl.String, "line": pl.String})

#: Hours; the easternmost zone is fourteen ahead of UTC.
LARGEST_OFFSET = 14
_OFFSET = r"^(\d{4}-\d\d-\d\d)[Tt]?(\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:[Zz]|UTC|([+-])(\d\d):?(\d\d)?)?$"
_EPOCH = datetime(1970, 1, 1)
_DAMAGED = "\N{REPLACEMENT CHARACTER}"


class Parsed(NamedTuple):
    """One batch: `events` with the schema `EVENTS`, `rejects` with `REJECTS`, and the number of lines of each kind."""

    events: pl.DataFrame
    rejects: pl.DataFrame
    counts: dict[str, int]


def parse_lines(lines: pl.DataFrame, read_at: datetime) -> Parsed:
    """Parse a batch of lines.

    Args:
        lines: columns `line_number` (from 1) and `line` (text without its line end; undecodable bytes as U+FFFD);
            where a line only holds `time,user,request` in some wrapping, that is the column `payload`.
        read_at: when the stream was read, UTC; nothing can have happened later.
    """
    text = pl.col("payload")
    table = (
        (lines if "payload" in lines.columns else lines.with_columns(pl.col("line").alias("payload")))
        .lazy()
        .with_columns(text.str.replace_all(" ", "", literal=True).str.strip_chars_end("\r").alias("packed"))
        .with_columns(pl.col("packed").str.splitn(",", 3).alias("fields"))
        .unnest("fields")
        .rename({"field_0": "stamp", "field_1": "who", "field_2": "request"})
        .with_columns(
            pl.when(pl.col("who").str.contains(r"^\d{1,18}$")).then(pl.col("who")).cast(pl.Int64).alias("user"),
            pl.col("request").str.starts_with("recommendationrequest").alias("is_recommendation"),
            pl.col("request").str.extract_groups(r"^GET/(?:data/m/(.+)/(\d+)\.mpg|rate/(.+)=([^=]+))$").alias("parts"),
        )
        .unnest("parts")
        .rename({"1": "viewed", "2": "at", "3": "rated", "4": "stars"})
        .with_columns(pl.coalesce("viewed", "rated").alias("movie"))
        .collect()
    )
    table = table.with_columns(_decoded(table["movie"]), times(table["stamp"]).alias("time"))
    minute = pl.col("at").cast(pl.Int16, strict=False)
    rating = pl.when(pl.col("stars").str.contains(r"^\d$")).then(pl.col("stars")).cast(pl.Int8, strict=False)
    table = table.with_columns(minute.alias("minute"), rating.alias("rating"))
    # In the order of REASONS.
    faults = (
        pl.col("request").is_null(),
        text.str.contains(_DAMAGED, literal=True),
        pl.col("time").is_null() | ~pl.col("time").is_between(_EPOCH, read_at),
        pl.col("user").is_null(),
        pl.col("movie").is_null() & ~pl.col("is_recommendation"),
        pl.col("movie").str.contains(r"\p{Cc}"),
        pl.col("at").is_not_null() & (pl.col("minute").is_null() | (pl.col("minute") > LAST_MINUTE)),
        pl.col("stars").is_not_null() & (pl.col("rating").is_null() | ~pl.col("rating").is_between(1, 5)),
    )
    reason = pl.coalesce(pl.when(fault).then(pl.lit(name)) for name, fault in zip(REASONS, faults, strict=True))
    table = table.with_columns(reason.alias("reason"))
    good = table.filter(pl.col("reason").is_null())
    events = good.filter(pl.col("movie").is_not_null()).select(EVENTS.keys()).cast(EVENTS)
    rejects = table.filter(pl.col("reason").is_not_null()).select(
        pl.col("line_number").cast(pl.Int64), "reason", pl.col("line").str.slice(0, SHOWN)
    )
    return Parsed(events, rejects, _counts(table, good))


def payload_times(lines: pl.DataFrame) -> pl.Series:
    """The times of a batch's column `payload`, none before 1970; whether the lines are otherwise usable is not looked
    at, which takes a quarter of the time.
    """
    stamps = lines["payload"].str.extract(r"^([^,]*),").str.replace_all(" ", "", literal=True)
    found = times(stamps)
    return found.filter(found >= _EPOCH)


def times(stamps: pl.Series) -> pl.Series:
    """Datetimes, UTC, of times without blanks (the table above); null for anything else."""
    found = stamps.to_frame("stamp").select(_time(pl.col("stamp")).alias("time"))["time"]
    rare = (found.is_null() & stamps.is_not_null()).arg_true()
    if rare.is_empty():
        return found
    return found.scatter(rare, _rare_times(stamps.gather(rare)))


def _time(stamp: pl.Expr) -> pl.Expr:
    """Datetime of `YYYY-MM-DDTHH:MM`, with or without seconds, fraction and `Z`; null for anything else."""
    shape = stamp.str.extract(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z?$")
    seconds = stamp.str.slice(16, 3)
    whole = shape + pl.when(seconds.str.starts_with(":")).then(seconds).otherwise(pl.lit(":00"))
    return whole.str.strptime(pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S", strict=False)


def _rare_times(stamps: pl.Series) -> pl.Series:
    """Times with a UTC offset or a blank for `T`, and Unix times, whose unit their length tells; whole seconds."""
    parts = pl.col("parts").struct
    sign = pl.when(parts.field("4") == "-").then(-1).otherwise(1)
    hours, minutes = (parts.field(at).cast(pl.Int64).fill_null(0) for at in ("5", "6"))
    local = pl.concat_str(
        parts.field("1"), pl.lit("T"), parts.field("2"), parts.field("3").fill_null(":00"), ignore_nulls=False
    ).str.strptime(pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S", strict=False)
    offset = pl.when((hours <= LARGEST_OFFSET) & (minutes < 60)).then(sign * (60 * hours + minutes))
    unix = pl.from_epoch(pl.col("stamp").str.extract(r"^(\d{10})(?:\d{3}|\d{6}|\d{9}|\.\d+)?$").cast(pl.Int64))
    return (
        stamps.to_frame("stamp")
        .with_columns(pl.col("stamp").str.extract_groups(_OFFSET).alias("parts"))
        .select(pl.coalesce(local - pl.duration(minutes=offset), unix.cast(pl.Datetime("us"))))
        .to_series()
    )


def _decoded(movie: pl.Series) -> pl.Series:
    """Movie ids with percent escapes decoded; each escaped spelling once, for they are few."""
    escaped = movie.filter(movie.str.contains("%", literal=True).fill_null(False)).unique()
    if escaped.is_empty():
        return movie
    spellings = escaped.to_list()
    return movie.replace(spellings, [unquote(spelling) for spelling in spellings])


def _counts(table: pl.DataFrame, good: pl.DataFrame) -> dict[str, int]:
    reasons = dict(table["reason"].drop_nulls().value_counts().iter_rows())
    blanks = good["line"].str.count_matches(" ", literal=True)
    usual = pl.select(pl.when(good["is_recommendation"]).then(0).otherwise(1)).to_series()
    return {
        "lines": table.height,
        "views": int(good["at"].is_not_null().sum()),
        "ratings": int(good["stars"].is_not_null().sum()),
        "recommendation_requests": int(good["is_recommendation"].sum()),
        # A request has one blank, after GET; what a recommendation request says is not read at all.
        "blanks_removed": int(((blanks > usual) & ~good["is_recommendation"]).sum()),
        "seconds_dropped": int(good["stamp"].str.contains(r"T\d\d:\d\dZ?$").sum()),
        "rejected": table.height - good.height,
        **{f"rejected.{reason}": int(reasons.get(reason, 0)) for reason in REASONS},
    }
