"""Nodes from the stream's lines to one row per user and movie."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, Protocol

import polars as pl

from retraining.pipelines import movie_recommender
from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from retraining.pipelines.movie_recommender.recommender.errors import NothingToReadError, TooManyRejectsError
from retraining.pipelines.movie_recommender.recommender.pairs import aggregate, with_targets
from retraining.pipelines.movie_recommender.stream.months import (
    cutoff_after,
    month_start,
    nothing_before,
    read_from,
    refuse_the_future,
)
from retraining.pipelines.movie_recommender.stream.parsing import REASONS, parse_lines, payload_times
from retraining.pipelines.movie_recommender.stream.reading import unwrapped
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.kedro_side.digest import table_digest
from tracked_kedro.month import month_before
from tracked_kedro.promotion.training_inputs import TrainingInputs

log = logging.getLogger(__name__)

Parts = dict[str, pl.DataFrame]
SHOWN_REJECTS = 1000


class Stream(Protocol):
    """Batches of lines by file, where they come from, and when they were opened (UTC), as `datasets.LineStream`."""

    def by_file(self) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]: ...  # noqa: D102
    @property
    def read_at(self) -> datetime: ...  # noqa: D102
    @property
    def origin(self) -> str: ...  # noqa: D102
    @property
    def simulated(self) -> bool: ...  # noqa: D102


def settle_cutoff(stream: Stream, cutoff: str | date | None) -> str:
    """Check the cutoff, or tell the month after the newest event; the unfinished month is never read.

    Raises:
        BadStreamError: the stream has no shape that is known.
        CutoffError: the cutoff is in the future.
        NothingToReadError: the stream is empty, or holds nothing before the cutoff; with the first day that would do.
    """
    end = month_start(stream.read_at) if cutoff is None else refuse_the_future(read_from(cutoff), stream.read_at)
    oldest, newest = datetime.max, datetime.min
    for _, lines in unwrapped(stream.by_file(), stream.read_at):
        times = payload_times(lines)
        oldest = min([oldest, *_bound(times.min())])
        newest = max([newest, *_bound(times.filter(times <= stream.read_at).max())])
        if cutoff is not None and oldest.date() < end:
            return end.isoformat()
    if oldest == datetime.max:
        raise NothingToReadError("the stream is empty; see MOVIES=")
    if oldest.date() >= end:
        raise NothingToReadError(nothing_before(end, oldest, stream.read_at))
    return cutoff_after(newest, stream.read_at).isoformat()


def _bound(value: Any) -> list[datetime]:
    return [value] if isinstance(value, datetime) else []


def keep_stream(manifest: dict[str, Any]) -> dict[str, Any]:
    """Keep the stream and the table of runtimes by content, so that this run can be made again."""
    return manifest


def process_kafka(
    stream: Stream,
    cutoff: str | date | None,
    history_start: str | date | None,
    max_reject_share: float,
    kept: Mapping[str, Any],
) -> Iterator[tuple[Parts, Parts, dict[str, Any]]]:
    """Read the stream batch by batch up to the cutoff; malformed lines go to the rejects, with number and reason.

    Yields:
        Part of the events, part of the rejects, and the summary up to here: counts of lines by what became of them, the
        first and last time, cutoff and month, where the stream comes from, and the shapes of its files.

    Raises:
        BadStreamError: a file has no shape that is known.
        TooManyRejectsError: more lines are malformed than `max_reject_share`; what was read is kept, to look at.
        NothingToReadError: no view or rating lies between `history_start` and the cutoff.
    """
    # `kept` orders this node after `keep_stream`; it says nothing that is needed here.
    latest = cutoff_after(stream.read_at, stream.read_at) if cutoff is None else read_from(cutoff)
    end = datetime.combine(refuse_the_future(latest, stream.read_at), time())
    start = datetime.combine(read_from(history_start), time()) if history_start else datetime.min
    counts: Counter[str] = Counter()
    times: list[datetime] = []
    examples: dict[str, str] = {}
    shapes: dict[str, None] = {}
    for at, (shape, lines) in enumerate(unwrapped(stream.by_file(), stream.read_at)):
        shapes[shape] = None
        parsed = parse_lines(lines, stream.read_at)
        moment = pl.col("time")
        events = parsed.events.filter(moment.is_between(start, end, closed="left"))
        counts.update(parsed.counts)
        counts["after_cutoff"] += int((parsed.events["time"] >= end).sum())
        counts["before_history"] += int((parsed.events["time"] < start).sum())
        counts["events"] += events.height
        times += [value for value in (events["time"].min(), events["time"].max()) if isinstance(value, datetime)]
        for number, reason, _ in parsed.rejects.unique("reason", keep="first", maintain_order=True).iter_rows():
            examples.setdefault(reason, f"line {number}")
        log.info("Stream: %s lines read, %s rejected", f"{counts['lines']:,}", f"{counts['rejected']:,}")
        part = f"part-{at:05d}"
        summary = _summary(stream, counts, times, cutoff) | {"shapes": list(shapes)}
        yield {part: events}, {part: parsed.rejects}, summary
    _check(counts, examples, max_reject_share, end)


def _summary(
    stream: Stream, counts: Mapping[str, int], times: list[datetime], cutoff: str | date | None
) -> dict[str, Any]:
    summary: dict[str, Any] = {"origin": stream.origin, "simulated": stream.simulated, "counts": dict(counts)}
    if times:
        settled = cutoff_after(max(times), stream.read_at) if cutoff is None else read_from(cutoff)
        summary |= {"first": min(times).isoformat(), "last": max(times).isoformat()}
        summary |= {"cutoff": settled.isoformat(), "month": month_before(settled)}
    return summary


def _check(counts: Mapping[str, int], examples: Mapping[str, str], max_reject_share: float, end: datetime) -> None:
    lines, rejected = counts.get("lines", 0), counts.get("rejected", 0)
    if lines and rejected / lines > max_reject_share:
        reasons = [f"{reason} {counts[f'rejected.{reason}']:,}" for reason in REASONS if reason in examples]
        first = "; ".join(f"{reason}: {examples[reason]}" for reason in REASONS if reason in examples)
        raise TooManyRejectsError(
            f"{rejected:,} of {lines:,} lines are malformed ({rejected / lines:.1%}), more than max_reject_share "
            f"{max_reject_share:.1%} allows: {', '.join(reasons)}. First of each: {first}. Mend the stream, or raise "
            "movie_recommender.max_reject_share"
        )
    if not counts.get("events"):
        later = counts.get("after_cutoff", 0)
        raise NothingToReadError(
            f"{lines:,} lines hold no view or rating before the cutoff {end:%Y-%m-%d}"
            + (f"; {later:,} are dated on or after it: choose a later cutoff" if later else "; see MOVIES=")
        )


def aggregate_ratings(events: Mapping[str, Callable[[], pl.LazyFrame]]) -> pl.DataFrame:
    """Join views and ratings to one row per user and movie: distinct minutes watched, and mean rating."""
    pairs = aggregate(pl.concat([load() for _, load in sorted(events.items())]))
    log.info("Stream: %s pairs of user and movie", f"{pairs.height:,}")
    return pairs


def normalize_minutes(
    pairs: pl.DataFrame,
    runtimes: pl.DataFrame,
    default_runtime: float,
    test_size: float,
    random_state: int,
    ranked_users: int,
    top_n: int,
    model: FactorisationConfig,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Add the share of the runtime that was watched, clipped to 0–1, and the liking to be learnt, 1 to 5.

    Returns:
        What is learnt from, and the `TrainingInputs` of the run as plain data.
    """
    targets = with_targets(pairs, runtimes, default_runtime)
    own = {"test_size": test_size, "random_state": random_state, "ranked_users": ranked_users, "top_n": top_n}
    settings = {**own, **{f"model.{key}": value for key, value in model.model_dump(mode="json").items()}}
    inputs = TrainingInputs(
        data_digest=table_digest(targets),
        code=code_version(movie_recommender.__name__),
        settings={key: str(value) for key, value in settings.items()},
    )
    return targets, inputs.model_dump(mode="json")


def list_rejects(rejects: Mapping[str, Callable[[], pl.DataFrame]]) -> pl.DataFrame:
    """Keep the first malformed lines, with their numbers and reasons, where a person will look for them."""
    found: list[pl.DataFrame] = []
    for _, load in sorted(rejects.items()):
        found.append(load().head(SHOWN_REJECTS - sum(part.height for part in found)))
    return pl.concat(found)
