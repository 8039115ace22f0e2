"""Misuse of a command is said in one line, by the name of make's variable."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tracked_kedro.cli.commands import commands


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--model", "rents", "--port", "abc"], "PORT: 'abc' is not a valid integer"),
        (["serve", "--model", "rents", "--port", "70000"], "PORT: 70000 is not in the range 1<=x<=65535"),
        (["rollback", "--model", "rents", "--to", "abc"], "TO: 'abc' is not a valid integer"),
        (["replay", "--pipeline", "rents", "--months", "0"], "MONTHS: 0 is not in the range 1<=x<=120"),
        (["retrain"], "DAG: say DAG=<value>"),
    ],
)
def test_no_usage_of_python_is_shown(arguments: list[str], message: str):
    done = CliRunner().invoke(commands, arguments)
    assert (done.exit_code, done.output) == (click.UsageError.exit_code, f"Error: {message}\n")
