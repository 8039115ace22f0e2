"""Whether servers on this machine answer."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.error import URLError
from urllib.request import urlopen

_BEAT = "latest_{}_heartbeat"


def body(address: str) -> bytes:
    """What an address on this machine answers; nothing where it answers with an error or not at all."""
    try:
        with urlopen(address, timeout=5) as answer:  # noqa: S310  the addresses are made in this project
            return answer.read()
    except (URLError, OSError):
        return b""


def takes_tasks(address: str) -> bool:
    """Whether Airflow's API server reaches its database and answers what tasks call."""
    database = _parts(address).get("metadatabase", {})
    return database.get("status") == "healthy" and bool(body(f"{address}/execution/health"))


def airflow_is_ready(address: str, since: float) -> bool:
    """Whether Airflow's API server and all parts that report to it are healthy.

    Args:
        since: seconds since 1970; a sign of life from before is that of a process which has ended.
    """
    parts = _parts(address)
    others = [(name, part) for name, part in parts.items() if name != "metadatabase"]
    return bool(others) and all(
        part["status"] == "healthy" and _moment(part[_BEAT.format(name)]) >= since for name, part in others
    )


def _parts(address: str) -> dict[str, dict[str, str | None]]:
    return json.loads(body(f"{address}/api/v2/monitor/health") or b"{}")


def _moment(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
