"""Ctrl-C, SIGTERM and a closed terminal as one exception, so that a command can end what it has begun."""

from __future__ import annotations

import contextlib
import errno
import signal
from collections.abc import Iterator

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORDS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "its terminal was closed"}
# What a write says whose reader or terminal is gone.
_UNREAD = (errno.EPIPE, errno.EIO)


class Interruption(BaseException):
    """A signal came; further ones do nothing in this process.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(_WORDS.get(signal.Signals(number), signal.Signals(number).name))
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that a signal has ended: 130 for Ctrl-C, 129 for a closed terminal."""
        return 128 + self.number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have signals, and writing to a terminal or pipe that is gone, raise `Interruption` in the body, once.

    with interruptible(): ...

    Raises:
        Interruption: as said; whoever catches it works on undisturbed.
    """
    before = {number: signal.getsignal(number) for number in _NUMBERS}

    def interrupt(number: int, frame: object) -> None:
        ignored()
        raise Interruption(number)

    try:
        for number, handler in before.items():
            # Of a command in the background (`nohup`) some are ignored, and stay so.
            if handler is not signal.SIG_IGN:
                signal.signal(number, interrupt)
        yield
    except OSError as error:
        if error.errno not in _UNREAD:
            raise
        ignored()
        raise Interruption(signal.SIGHUP if error.errno == errno.EIO else signal.SIGPIPE) from error
    else:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignored() -> None:
    """Let signals do nothing from here on: what ends the rest must itself not be interrupted."""
    for number in _NUMBERS:
        # No SIG_IGN: one that is pending at this moment would be reported as an error.
        signal.signal(number, lambda number, frame: None)
