"""Airflow's Celery configuration (`[celery] celery_config_options`): a worker imports before it forks its pool."""

from __future__ import annotations

from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG as CELERY_CONFIG
from celery.signals import worker_init

from tracked_kedro.kedro_side.preload import preload

__all__ = ["CELERY_CONFIG"]


@worker_init.connect(weak=False)
def _preload(**details: Any) -> None:
    """Celery's call in a worker, before its pool is forked; whoever only sends tasks never gets it."""
    preload()
