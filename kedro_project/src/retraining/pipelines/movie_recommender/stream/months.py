"""The month of a run: nothing dated on or after its cutoff is read, and never the unfinished month."""

from __future__ import annotations

from datetime import date, datetime

from retraining.pipelines.movie_recommender.recommender.errors import CutoffError
from tracked_kedro.month import shifted


def read_from(value: str | date) -> date:
    """A day as parameters give it: a date, or text that begins with one."""
    return date.fromisoformat(str(value)[:10])


def month_start(now: datetime) -> date:
    """First day of the present month: the latest cutoff."""
    return now.date().replace(day=1)


def nothing_before(end: date, oldest: datetime, now: datetime) -> str:
    """What to say of a stream whose oldest time is not before `end`: which day will do."""
    first = shifted(oldest.date(), 1)
    found = f"the stream holds nothing before {end}: its first time is {oldest:%Y-%m-%d}"
    if first <= month_start(now):
        return f"{found}; choose the cutoff {first} or a later one"
    month = "in the future" if oldest > now else "in the unfinished month, which is never read"
    return f"{found}, {month}; it can be read from {first} on, or name an older stream with MOVIES="


def cutoff_after(newest: datetime, now: datetime) -> date:
    """First day of the month after the newest event, or of the present month where that is earlier."""
    return min(shifted(newest.date(), 1), month_start(now))


def refuse_the_future(cutoff: date, now: datetime) -> date:
    """The cutoff.

    Raises:
        CutoffError: it would admit the unfinished month.
    """
    latest = month_start(now)
    if cutoff > latest:
        raise CutoffError(
            f"cutoff {cutoff} is in the future: {latest} is the latest that leaves out the unfinished month"
        )
    return cutoff
