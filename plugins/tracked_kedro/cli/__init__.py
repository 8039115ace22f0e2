"""What a person asks of runs and versions: `python -m tracked_kedro`."""
