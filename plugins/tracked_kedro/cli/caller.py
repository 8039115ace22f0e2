"""The make that runs a command of ours: killed alone, it leaves its recipe's process behind."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_make() -> None:
    """Have this process get SIGTERM when the make that it was started by ends; nothing where there is none.

    Called from the main thread, before the command starts others. Its recipe must be `exec`: a shell in between would
    be the parent, and live on.
    """
    if os.environ.get("MAKELEVEL"):
        signalled_when_parent_ends(signal.SIGTERM)


def signalled_when_parent_ends(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends (Linux: prctl(2), PR_SET_PDEATHSIG).

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl refuses PR_SET_PDEATHSIG")
