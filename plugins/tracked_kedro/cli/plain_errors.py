"""Errors of a command line that people reach through make: they name make's variable, not Python's option."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click


class PlainErrors(click.Group):
    """Commands whose misuse is said in one line.

    >>> @click.group(cls=PlainErrors)
    ... def commands(): ...
    >>> @commands.command()
    ... @click.option("--port", type=int)
    ... def serve(port): ...
    >>> commands(["serve", "--port", "abc"], standalone_mode=False)
    Traceback (most recent call last):
        ...
    click.exceptions.ClickException: PORT: 'abc' is not a valid integer
    """

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        """Read the group's own options."""
        with _in_plain_words():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the command's options and run it."""
        with _in_plain_words():
            return super().invoke(ctx)


@contextlib.contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.BadParameter as error:
        options = [] if error.param is None else error.param.opts
        name = options[0].lstrip("-").replace("-", "_").upper() if options else ""
        message = error.message.rstrip(".").replace("integer range", "integer") or f"say {name}=<value>"
        raise _Misuse(f"{name}: {message}" if name else message) from None
    except ValueError as error:
        # By name: most commands need no OmegaConf. What a resolver says of its own file is for a person to read.
        _, resolved, message = str(error).partition(" raised while resolving interpolation: ")
        if type(error).__name__ != "InterpolationResolutionError" or not resolved:
            raise
        raise click.ClickException(message.partition("\n    full_key")[0]) from None


class _Misuse(click.ClickException):
    exit_code = click.UsageError.exit_code
