"""Which stack `make backup` and `make restore` mean: containers or native processes. Standard library only."""

from __future__ import annotations

import sys
from pathlib import Path

from operations.compose import engine
from operations.locations import NATIVE as LOCK
from operations.locations import is_held, var_folder

COMPOSE, NATIVE = "compose", "native"
_BOTH = "STACK=compose or STACK=native says which"


def chosen(wanted: str, settings: Path, native: Path) -> tuple[str, str]:
    """The stack to work on, and why.

    Args:
        wanted: the stack that a person names, or nothing.
        settings: the `.env` file, which the containers' stack has.
        native: the native stack's folder.

    Raises:
        SystemExit: no such stack, or both are set up here and not exactly one of them runs.
    """
    if wanted:
        if wanted not in (COMPOSE, NATIVE):
            sys.exit(f"STACK={wanted} is no stack: {_BOTH}")
        return wanted, "you say so"
    if not settings.exists():
        return NATIVE, f"there is no {settings}"
    if not (native / "secrets.json").exists():
        return COMPOSE, f"{settings} is here, and nothing in {native}"
    running = [name for name, runs in ((COMPOSE, _containers_run()), (NATIVE, is_held(LOCK))) if runs]
    if len(running) != 1:
        state = "both run" if running else "neither runs"
        sys.exit(f"Two stacks are set up here ({settings} and {native}), and {state}: {_BOTH}")
    return running[0], "of the two stacks set up here it is the one that runs"


def _containers_run() -> bool:
    return not engine.problems() and any(state["State"] == "running" for state in engine.states())


def main() -> None:
    """Print the stack's name for the Makefile, and the reason for the person."""
    stack, reason = chosen(sys.argv[1], Path(".env"), var_folder() / "native")
    print(f"Stack: {stack}, for {reason}", file=sys.stderr)
    print(stack)


if __name__ == "__main__":
    main()
