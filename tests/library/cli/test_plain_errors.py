"""Misuse of a command is said in one line, by the name of make's variable."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from omegaconf import OmegaConf

from tracked_kedro.cli.commands import commands
from tracked_kedro.cli.plain_errors import PlainErrors


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


def test_what_a_resolver_says_of_its_own_file_is_said_in_one_line():
    @click.group(cls=PlainErrors)
    def ours(): ...

    def refuses() -> str:
        raise ValueError("series.csv, line 3: the id stands in line 2 already; choose another")

    @ours.command()
    def read():
        OmegaConf.register_new_resolver("refuses", refuses, replace=True)
        OmegaConf.to_container(OmegaConf.create({"rents": {"choices": "${refuses:}"}}), resolve=True)

    done = CliRunner().invoke(ours, ["read"])
    assert done.output == "Error: series.csv, line 3: the id stands in line 2 already; choose another\n"
    assert done.exit_code == 1
