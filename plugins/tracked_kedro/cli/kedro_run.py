"""`kedro run` of a project on these rails: Kedro's own command, whose expected refusals are one line.

A project takes it over in its `cli.py`, which is where Kedro looks for a project's own commands:

    from tracked_kedro.cli.kedro_run import cli
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator
from typing import Any

import click
from kedro.framework import project
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError

from tracked_kedro.kedro_side.quiet_runner import without_advice

_RESOLVING = "ValueError raised while resolving interpolation: "
# Modules of Kedro 1.7 that look for what was asked for.
_SELECTING = ("kedro.framework.session.session", "kedro.pipeline.pipeline")


@click.group(name="Project")
def cli() -> None:
    """Commands of a project on these rails."""


def _run(**options: Any) -> Any:
    without_advice()
    # Guards of the environment, such as that `prod` needs a store for data, go by this variable.
    if options.get("env"):
        os.environ["KEDRO_ENV"] = options["env"]
    assert kedro_run.callback is not None
    with refusals_in_one_line():
        return kedro_run.callback(**options)


cli.add_command(click.Command("run", callback=_run, params=kedro_run.params, help=kedro_run.help))


@contextlib.contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Say what a person can mend without the traceback of how it was found out; other errors keep theirs.

    Raises:
        click.ClickException: with the message of a refusal.
    """
    try:
        yield
    except Exception as error:
        if (found := refusal(error)) is None:
            raise
        raise click.ClickException(str(found)) from error


def refusal(error: BaseException) -> Exception | None:
    """The refusal that an error is or wraps; None where it is none.

    Kedro wraps what a dataset raises, twice. A refusal is an error of a class that these rails or the project have
    defined: somebody has thought of it and written what to do. What Python and other libraries raise is no refusal.
    """
    if _is_about_what_was_asked_for(error):
        return Exception(str(error).splitlines()[0].removeprefix(_RESOLVING))
    found: BaseException | None = error
    while isinstance(found, DatasetError):
        found = found.__cause__
    own = {"tracked_kedro", project.PACKAGE_NAME}
    is_own = isinstance(found, Exception) and type(found).__module__.split(".")[0] in own
    return found if is_own else None  # type: ignore[return-value]


def _is_about_what_was_asked_for(error: BaseException) -> bool:
    """Whether Kedro knows no pipeline, node or tag of that name, or configuration cannot be resolved."""
    if type(error).__name__ == "InterpolationResolutionError":
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(error, ValueError) and frame.f_globals.get("__name__") in _SELECTING
