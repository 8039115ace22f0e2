"""Kedro datasets around the station files: bringing them up to date, and telling where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from retraining.locations import refresh_folder, sample_folder, stations_folder, stations_source
from retraining.sample_data import is_simulated, write_sample
from retraining.sources import RefreshReport, public_url, refresh_files


class StationSourceDataset(AbstractDataset[None, RefreshReport]):
    """The place the station files come from.

    Args:
        stations: folder or address of the station files, None for the default.
        source: URL pattern with {file} that feeds the default folder, None for none.
        entries: label and file of each series, by id.
    """

    def __init__(self, stations: str | None, source: str | None, entries: Mapping[str, Mapping[str, str]]) -> None:
        self._stations, self._source, self._entries = stations, source, entries

    def load(self) -> RefreshReport:
        """Bring the files up to date; the simulated sample is written where nothing else is there."""
        files = {series: entry["file"] for series, entry in self._entries.items()}
        report = refresh_files(stations_source(self._stations, self._source), files, refresh_folder(self._stations))
        if Path(stations_folder(self._stations)) == sample_folder():
            write_sample(sample_folder(), self._entries)
        return report

    def save(self, data: None) -> None:
        """The source is read, never written."""
        raise NotImplementedError("the source is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"stations": _shown(self._stations), "source": _shown(self._source)}


class StationOriginDataset(AbstractDataset[None, dict[str, Any]]):
    """Where the station files of a run come from, and whether they are simulated."""

    def __init__(self, stations: str | None, source: str | None) -> None:
        self._stations, self._source = stations, source

    def load(self) -> dict[str, Any]:
        """{"origin": source address or folder, "simulated": bool}."""
        folder = Path(stations_folder(self._stations))
        source = stations_source(self._stations, self._source)
        simulated = is_simulated(folder)
        origin = "simulated sample" if simulated else public_url(source) if source else str(folder)
        return {"origin": origin, "simulated": simulated}

    def save(self, data: None) -> None:
        """The origin is read, never written."""
        raise NotImplementedError("the origin is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"stations": _shown(self._stations)}


def _shown(place: str | None) -> str | None:
    # Descriptions end up in logs, and an address may carry a password.
    return public_url(place) if place and "://" in place else place
