"""Whether servers on this machine answer."""

from __future__ import annotations

import json
from urllib.error import URLError
from urllib.request import urlopen


def body(address: str) -> bytes:
    """What an address on this machine answers; nothing where it answers with an error or not at all."""
    try:
        with urlopen(address, timeout=2) as answer:  # noqa: S310  the addresses are made in this project
            return answer.read()
    except (URLError, OSError):
        return b""


def airflow_is_ready(address: str) -> bool:
    """Whether Airflow's API server and all parts that report to it are healthy."""
    parts = json.loads(body(f"{address}/api/v2/monitor/health") or b"{}").values()
    return bool(parts) and all(part["status"] in ("healthy", None) for part in parts)
