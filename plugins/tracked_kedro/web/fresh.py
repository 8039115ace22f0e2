"""Answers of a server that are kept for seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Fresh:
    """Answers that may be that many seconds old; the least used ones go first."""

    def __init__(self, seconds: float, most: int = 512) -> None:
        self._seconds, self._most = seconds, most
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        """The answer under the key, asked for where it is not there or too old. An error is not kept."""
        with self._lock:
            asked, answer = self._answers.get(key, (float("-inf"), None))
            if time.monotonic() - asked < self._seconds:
                self._answers.move_to_end(key)
                return answer
        # Outside the lock: one slow answer does not hold up the others; two may ask the same at once.
        answer = ask()
        with self._lock:
            self._answers[key] = (time.monotonic(), answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return answer
