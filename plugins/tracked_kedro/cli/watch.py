"""The process beside a scheduler that ends parent runs whose DAG run is over, and says how many are out of step."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tracked_kedro.cli.looking import look, sentences
from tracked_kedro.errors import classified
from tracked_kedro.kedro_side.locations import var_folder

_EVERY = 15.0  # seconds between two looks; each is two searches and as many queries as parents are RUNNING
_LONGEST = 60.0  # between looks that fail, each after twice the time of the one before
_STEP = 1.0  # how soon it notices that its scheduler is gone

#: What monitoring sees of it (StatsD or OpenTelemetry, where Airflow has it).
GAUGE = "parents_out_of_step"


@dataclass(frozen=True)
class Health:
    """What the last look has found, for `make doctor`.

    Attributes:
        at: when it was, seconds since 1970.
        parents_out_of_step: how many parents say RUNNING though their DAG run is over; None where nobody can say.
        since: when a look last succeeded, None where none has.
        problem: why it failed.
    """

    at: float
    parents_out_of_step: int | None
    since: float | None
    problem: str | None = None


def health_file() -> Path:
    """Where `make doctor` finds it."""
    return var_folder() / "parents.json"


def beside(scheduler: int) -> int:
    """Look for as long as this process's parent is the scheduler.

    A look that fails is repeated until one succeeds, and what ended meanwhile is found then: a look compares all that
    is RUNNING, and remembers nothing.

    Returns:
        Exit code.
    """
    # Ctrl-C is for the scheduler; without it this process ends, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failures, since = 0, None
    while True:
        now = time.time()
        try:
            found = look()
        except Exception as error:  # noqa: BLE001  whatever it is, the next look may succeed
            problem = " ".join(str(classified(error)).split())
            pause, failures = min(_EVERY * 2**failures, _LONGEST), failures + 1
            print(f"{problem} Looking again in {pause:.0f} s.", flush=True)
            _tell(Health(now, None, since, problem))
        else:
            for line in sentences(found):
                print(line, flush=True)
            pause, failures, since = _EVERY, 0, now
            _tell(Health(now, len(found.left), since))
            _measure(len(found.left))
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if os.getppid() != scheduler:
                return 0
            time.sleep(_STEP)


def _tell(health: Health) -> None:
    file = health_file()
    try:
        # Whole or not there, whoever reads it.
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(health)) + "\n")
        fresh.replace(file)
    except OSError as error:
        print(f"{file}: {error.strerror}", flush=True)


def _measure(number: int) -> None:
    from airflow.configuration import conf
    from airflow.observability import stats
    from airflow.observability.metrics import stats_utils

    stats.initialize(
        factory=stats_utils.get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
    )
    stats.gauge(GAUGE, number)
