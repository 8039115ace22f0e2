"""Folders and addresses of the stream of views and ratings."""

from __future__ import annotations

from pathlib import Path

from tracked_kedro.kedro_side.locations import raw_folder, var_folder


def sample_folder() -> Path:
    """Folder of the simulated stream."""
    return var_folder() / "sample" / "movies"


def stream_address(movies: str | None) -> str:
    """The stream: an explicit file, folder or address, else the raw file, else the sample."""
    if movies:
        return movies if "://" in movies else str(Path(movies).expanduser().absolute())
    raw = raw_folder() / "kafka_stream.csv"
    return str(raw if raw.is_file() else sample_folder() / raw.name)
