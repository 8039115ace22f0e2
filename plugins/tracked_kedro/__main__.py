"""`python -m tracked_kedro`: what a person asks of pipelines, runs and versions."""

from tracked_kedro.cli.commands import commands

if __name__ == "__main__":
    commands(prog_name="python -m tracked_kedro")
