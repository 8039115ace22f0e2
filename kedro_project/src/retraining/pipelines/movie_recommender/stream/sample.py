"""Simulated streams of views and ratings in the wire format of a Kafka dump, quirks of real logs included.

The sample has something to learn: movies and users lie in a space of taste, users pick movies they will like more often
than others, and liking is mean + generosity of the user + quality of the movie + taste + noise. `wire` and
`with_quirks` also serve to make streams of any length whose malformed lines are known (`benchmarks/kafka_stream.py`).

Nothing here was copied from a real stream: titles are made of invented words.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import polars as pl

from retraining.pipelines.movie_recommender.stream.parsing import LAST_MINUTE
from tracked_kedro.kedro_side.local_files import write_atomically
from tracked_kedro.kedro_side.simulated import MARKER

STREAM_FILE = "kafka_stream.csv"
RUNTIMES_FILE = "movie_runtimes.csv"
MARKER_TEXT = (
    "simulated sample\n\nThe stream in this folder was not recorded. "
    "retraining/sample_stream.py wrote it (version 1), the same bytes each time.\n"
)
SEED = 20241207
N_USERS, N_MOVIES, N_TASTES = 1200, 240, 3
PAIRS_PER_USER = 24
#: Users whose views are in the stream, minute by minute; the others are known by their ratings alone.
WATCHED_SHARE = 0.03
QUIRK_SHARE = 0.01
FIRST, LAST = np.datetime64("2024-03-01T00:00:00"), np.datetime64("2024-09-01T00:00:00")
# fmt: off
_WORDS = (
    "amber", "basalt", "cinder", "dune", "ember", "fjord", "garnet", "heron", "iris",
    "juniper", "kelp", "lichen", "moss", "nettle", "onyx", "pine", "quartz", "reed",
)
# fmt: on


class Quirky(NamedTuple):
    """Lines of a stream, and what a parser must make of them.

    Attributes:
        lines: String series.
        rejects: how many lines must be rejected, by reason.
        blanks: how many have a blank that must be removed.
        recommendations: how many are recommendation requests.
    """

    lines: pl.Series
    rejects: dict[str, int]
    blanks: int
    recommendations: int


def write_sample(folder: Path) -> Path:
    """Write stream, runtimes and marker, unless they are there already; the same bytes each time.

    Returns:
        The stream's file.

    Raises:
        FileExistsError: the folder holds a stream that is no simulated sample.
    """
    stream, marker = folder / STREAM_FILE, folder / MARKER
    if stream.is_file() and not marker.is_file():
        raise FileExistsError(f"{folder} holds a stream that is no simulated sample; choose another folder")
    if stream.is_file() and marker.read_text() == MARKER_TEXT:
        return stream
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(marker, MARKER_TEXT.encode())
    random = np.random.RandomState(SEED)
    runtimes = random.randint(75, 150, N_MOVIES)
    events = sample_events(random, runtimes)
    quirky = with_quirks(wire(events, titles(N_MOVIES)), random, QUIRK_SHARE)
    # Every seventh movie is missing in the table, as in real ones.
    table = pl.DataFrame({"movie_id": titles(N_MOVIES), "runtime_minutes": runtimes})
    known = table.filter(pl.int_range(pl.len()) % 7 != 0)
    write_atomically(folder / RUNTIMES_FILE, known.write_csv().encode())
    # The newest line is cut off, as where a dump ends while a line is written.
    write_atomically(stream, "\n".join([*quirky.lines, "2024-08-31T23:59:59,17,GET /rate/amber+dun"]).encode())
    return stream


def titles(n: int) -> list[str]:
    """The ids of n movies, odd ones among them: commas, `++`, accents, no year."""
    found = []
    for at in range(n):
        first, second, third = _WORDS[at % 18], _WORDS[at // 18 % 18], _WORDS[at // 324 % 18]
        odd = {3: f"{first},+the+{second}", 7: f"{first}++{second}", 11: f"{first}+é+{second}"}.get(at % 13)
        name = f"{odd or f'{first}+and+{second}'}+{third}+{at}"
        found.append(name if at % 29 == 5 else f"{name}+{1930 + at % 90}")
    return found


def sample_events(random: np.random.RandomState, runtimes: np.ndarray) -> pl.DataFrame:
    """Views and ratings in the order of time, columns time, user, movie (row of the titles), minute, rating.

    Each rating is a user's liking rounded to 1 to 5; of a movie that was only watched, the share (liking − 1) / 4.
    """
    taste = random.normal(size=(N_MOVIES, N_TASTES))
    wish = random.normal(size=(N_USERS, N_TASTES))
    quality, generosity = 0.35 * random.normal(size=N_MOVIES), 0.35 * random.normal(size=N_USERS)
    affinity = wish @ taste.T / np.sqrt(N_TASTES)
    fame = 0.5 * random.normal(size=N_MOVIES)
    # Gumbel noise: the best of it are a draw without replacement, with odds exp(fame + 1.2 × affinity).
    appeal = fame + 1.2 * affinity + random.gumbel(size=affinity.shape)
    movie = np.argsort(-appeal, axis=1, kind="stable")[:, :PAIRS_PER_USER].ravel()
    user = np.repeat(np.arange(N_USERS), PAIRS_PER_USER)
    noise = 0.5 * random.normal(size=user.size)
    liking = 3.2 + generosity[user] + quality[movie] + 0.8 * affinity[user, movie] + noise
    watched = random.uniform(size=user.size) < WATCHED_SHARE
    second = random.randint(0, int((LAST - FIRST).astype(int)) - 86400, user.size)
    rated = pl.DataFrame(
        {
            "second": second[~watched],
            "user": 1000 + user[~watched],
            "movie": movie[~watched],
            "rating": np.clip(np.rint(liking[~watched]), 1, 5).astype(int),
        }
    )
    share = np.clip((liking[watched] - 1) / 4, 0.02, 1)
    minutes = [np.arange(round(part * runtimes[one])) for part, one in zip(share, movie[watched], strict=True)]
    viewed = pl.DataFrame(
        {"second": second[watched], "user": 1000 + user[watched], "movie": movie[watched], "minute": minutes}
    ).explode("minute")
    viewed = viewed.drop_nulls("minute").with_columns(pl.col("second") + 60 * pl.col("minute"))
    events = pl.concat([rated, viewed], how="diagonal").sort("second", "user", "movie", "minute")
    start = pl.lit(FIRST.astype("datetime64[us]").item())
    return events.select((start + pl.duration(seconds="second")).alias("time"), "user", "movie", "minute", "rating")


def wire(events: pl.DataFrame, names: list[str]) -> pl.Series:
    """Lines of the stream, without line ends; seconds are dropped where they are `:00`, as some loggers do."""
    stamp = pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S").str.replace(r":00$", "")
    movie = pl.col("movie").replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    view = pl.format("GET /data/m/{}/{}.mpg", movie, pl.col("minute"))
    rating = pl.format("GET /rate/{}={}", movie, pl.col("rating"))
    request = pl.when(pl.col("minute").is_not_null()).then(view).otherwise(rating)
    return events.select(pl.format("{},{},{}", stamp, pl.col("user"), request).alias("line"))["line"]


def with_quirks(lines: pl.Series, random: np.random.RandomState, share: float) -> Quirky:
    """The lines with a share of them spoilt, each in one of the ways that real logs show."""
    kinds = list(_QUIRKS)
    spoilt = np.flatnonzero(random.uniform(size=len(lines)) < share)
    kind = random.randint(0, len(kinds), spoilt.size)
    rejects: dict[str, int] = {}
    blanks = recommendations = 0
    changed = []
    for line, which in zip(lines.gather(spoilt), kind, strict=True):
        spoil, outcome = _QUIRKS[kinds[which]]
        text = spoil(line)
        changed.append(text)
        if text == line:
            continue  # a quirk of ratings, and the line is a view, or the other way round
        if outcome == "blank":
            blanks += 1
        elif outcome == "recommendation":
            recommendations += 1
        elif outcome:
            rejects[outcome] = rejects.get(outcome, 0) + 1
    return Quirky(lines.scatter(spoilt, changed), rejects, blanks, recommendations)


def _fields(line: str) -> tuple[str, str, str]:
    time, user, request = line.split(",", 2)
    return time, user, request


def _in_field(at: int, change):
    """A quirk of one field: 0 the time, 1 the user, 2 the request."""

    def spoil(line: str) -> str:
        parts = list(_fields(line))
        parts[at] = change(parts[at])
        return ",".join(parts)

    return spoil


def _escaped(request: str) -> str:
    if request.startswith("GET /rate/"):
        movie, _, rating = request.removeprefix("GET /rate/").rpartition("=")
        return f"GET /rate/{quote(movie, safe='+')}={rating}"
    movie, _, minute = request.removeprefix("GET /data/m/").rpartition("/")
    return f"GET /data/m/{quote(movie, safe='+')}/{minute}"


def _of_rating(change):
    return lambda request: change(request) if request.startswith("GET /rate/") else request


def _of_view(change):
    return lambda request: request if request.startswith("GET /rate/") else change(request)


_ADVICE = "recommendation request host:8082, status 200, result: amber+and+basalt, dune++fjord+1974, 130 ms"
#: Name of the quirk: how a line is spoilt, and what a parser must make of it: a reason of rejection, "blank" to be
#: removed, a "recommendation" request, or None where the line means what it meant.
_QUIRKS = {
    "blank in the time": (_in_field(0, lambda time: f"{time[:13]} {time[13:]}"), "blank"),
    "blank in the movie": (_in_field(2, lambda request: request[:13] + " " + request[13:]), "blank"),
    "letter in the time": (_in_field(0, lambda time: f"{time[:13]}G{time[13:]}"), "time"),
    "impossible date": (_in_field(0, lambda time: f"{time[:5]}170{time[7:]}"), "time"),
    "head cut off": (lambda line: line[14:], "time"),
    "user without a number": (_in_field(1, lambda user: f"u{user}"), "user"),
    "rating of 15": (_in_field(2, _of_rating(lambda request: request[:-1] + "15")), "rating"),
    "rating with a fraction": (_in_field(2, _of_rating(lambda request: request + ".5")), "rating"),
    "minute of no film": (_in_field(2, _of_view(lambda r: f"{r.rpartition('/')[0]}/{LAST_MINUTE + 1}.mpg")), "minute"),
    "minute past the runtime": (_in_field(2, _of_view(lambda r: f"{r.rpartition('/')[0]}/999.mpg")), None),
    "percent escapes": (_in_field(2, _escaped), None),
    "tail cut off": (lambda line: line[: line.index("GET /") + 8], "request"),
    "only the time left": (lambda line: line.split(",")[0], "fields"),
    "another request": (_in_field(2, lambda request: "GET /health"), "request"),
    "recommendation request": (_in_field(2, lambda request: _ADVICE), "recommendation"),
}
