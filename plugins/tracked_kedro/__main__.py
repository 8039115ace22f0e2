"""`python -m tracked_kedro`: what a person asks of pipelines, runs and versions."""

from tracked_kedro.cli.commands import commands
from tracked_kedro.cli.leaving import without_teardown

if __name__ == "__main__":
    with without_teardown():
        commands(prog_name="make")
