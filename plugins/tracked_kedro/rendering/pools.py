"""Pools that tasks ask for and that Airflow does not have: such a task would wait for ever, without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracked_kedro.rendering.blocks import FILE, Block


def missing(blocks: Mapping[str, Block]) -> Iterator[str]:
    """A sentence for each pool that this Airflow does not have, with the remedy.

    No problem that stands against rendering: the file may be for another Airflow, which has its pools.

    Args:
        blocks: of airflow.yml, by DAG.
    """
    asked = {
        f"{name}.{key}.{which}.pool": settings.pool
        for name, block in blocks.items()
        for key, every in (("tasks", block.tasks), ("tagged", block.tagged))
        for which, settings in every.items()
        if settings.pool
    }
    known = _known() if asked else None
    if known is None:
        return
    for place, pool in asked.items():
        if pool not in known:
            yield (
                f"{FILE}: {place} = {pool!r}: this Airflow has no such pool (it has: {', '.join(sorted(known))}), and "
                f"its tasks would wait for ever; make it where the DAG runs: airflow pools set {pool} <slots> <purpose>"
            )


def _known() -> set[str] | None:
    """Names of Airflow's pools; None where its database does not answer."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            return {str(pool.pool) for pool in Pool.get_pools(session=session)}
    except SQLAlchemyError:
        return None
