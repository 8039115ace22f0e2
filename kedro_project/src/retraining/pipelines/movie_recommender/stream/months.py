"""The month of a run: nothing dated on or after its cutoff is read, and never the unfinished month."""

from __future__ import annotations

from datetime import date, datetime

from retraining.pipelines.movie_recommender.recommender.errors import CutoffError
from tracked_kedro.month import shifted


def read_from(value: str | date) -> date:
    """A day as parameters give it: a date, or text that begins with one."""
    return date.fromisoformat(str(value)[:10])


def cutoff_after(newest: datetime, now: datetime) -> date:
    """First day of the month after the newest event, or of the present month where that is earlier."""
    return min(shifted(newest.date(), 1), now.date().replace(day=1))


def refuse_the_future(cutoff: date, now: datetime) -> date:
    """The cutoff.

    Raises:
        CutoffError: it would admit the unfinished month.
    """
    latest = now.date().replace(day=1)
    if cutoff > latest:
        raise CutoffError(
            f"cutoff {cutoff} is in the future: {latest} is the latest that leaves out the unfinished month"
        )
    return cutoff
