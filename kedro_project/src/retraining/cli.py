"""This project's own commands: `kedro run` as the rails have it."""

from tracked_kedro.cli.kedro_run import cli

__all__ = ["cli"]
