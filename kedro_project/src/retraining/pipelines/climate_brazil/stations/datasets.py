"""The Kedro dataset of the place that the station files come from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kedro.io import AbstractDataset

from retraining.pipelines.climate_brazil.inputs import NAME
from retraining.pipelines.climate_brazil.stations.locations import (
    STATION_FILES,
    STATION_SUFFIX,
    refresh_folder,
    sample_folder,
    stations_folder,
    stations_source,
)
from retraining.pipelines.climate_brazil.stations.sample import write_sample
from retraining.pipelines.climate_brazil.stations.series_list import read_series
from retraining.pipelines.climate_brazil.stations.sources import RefreshReport, SourceError, check_size, refresh_files
from tracked_kedro.kedro_side.locations import raw_inputs
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.kedro_side.simulated import SIMULATED, check_sample_allowed, is_simulated, note_real
from tracked_kedro.kedro_side.sources.opening import name_of, shown, source
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError

log = logging.getLogger(__name__)


class StationIntake(NamedTuple):
    """What became of the station files at the beginning of a run.

    Attributes:
        report: outcome of bringing them up to date.
        manifest: where they come from (`origin`), whether they are `simulated`, the Kedro `parameter` that would name
            a folder of them, their digests by name (`files`), and why others could not be kept (`refused`).
    """

    report: RefreshReport
    manifest: dict[str, Any]


class StationSourceDataset(AbstractDataset[None, StationIntake]):
    """The place the station files come from.

    Args:
        stations: folder or address of the station files, None for the default.
        source: URL pattern with {file} that feeds the default folder, None for none.
        filepath: the list of series (see `series_list.read_series`).
        parameter: Kedro parameter that names the folder of station files, for whoever runs it again.
        configured: what configuration names, beside which ALLOWED_SOURCES alone says what may be read.
        credentials: fsspec's options for addresses that configuration names.
    """

    def __init__(
        self,
        stations: str | None,
        source: str | None,
        filepath: str,
        parameter: str | None = None,
        configured: Sequence[str | None] = (),
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        self._stations, self._source, self._filepath, self._parameter = stations, source, filepath, parameter
        self._configured, self._credentials = configured, credentials

    def load(self) -> StationIntake:
        """Bring the files up to date and keep them by content; with nothing else, write the simulated sample.

        Raises:
            NoInputError: there is nothing else, and this deployment does not train on the sample.
        """
        entries = read_series(self._filepath)
        files = {series: entry["file"] for series, entry in entries.items()}
        report = refresh_files(
            stations_source(self._stations, self._source),
            files,
            refresh_folder(self._stations),
            configured=self._configured,
            credentials=self._credentials,
        )
        if Path(stations_folder(self._stations)) == sample_folder():
            if not self._stations:
                check_sample_allowed(NAME, STATION_FILES, f"{NAME}.stations")
            write_sample(sample_folder(), entries)
        return StationIntake(report, self._manifest())

    def _manifest(self) -> dict[str, Any]:
        folder = stations_folder(self._stations)
        # The mirror of an address lies among what this deployment has made, and is named by nobody else.
        mirror = folder if self._stations and "://" in self._stations else None
        place = source(folder, [*self._configured, mirror])
        address = stations_source(self._stations, self._source)
        simulated = is_simulated(folder)
        origin = SIMULATED if simulated else shown(address) if address else folder
        kept = RawInputs(raw_inputs())
        found = [one for one in place.children() if one.endswith(STATION_SUFFIX)] if place.is_folder() else []
        files, refused = {}, {}
        for one in found:
            try:
                file = place.at(one)
                check_size(file.info())
                files[name_of(one)] = kept.keep(file)
            # A link that leads elsewhere, a folder, what is too large: whatever cannot be kept costs its series alone.
            except (SourceRefusedError, SourceError, FileNotFoundError) as error:
                gone = isinstance(error, FileNotFoundError)
                why = "it is gone, or a link to what is gone" if gone else str(error).removeprefix(f"{one}: ")
                refused[name_of(one)] = why
                log.warning("%s is not read: %s", name_of(one), why)
        if files and not simulated:
            note_real(NAME)
        return {
            "origin": origin,
            "simulated": simulated,
            "parameter": self._parameter,
            "files": files,
            "refused": refused,
        }

    def save(self, data: None) -> None:
        """The source is read, never written."""
        raise NotImplementedError("the source is read, never written")

    def _describe(self) -> dict[str, Any]:
        # Descriptions end up in logs, and an address may carry a password.
        places = {"stations": self._stations, "source": self._source}
        return {name: shown(place) if place else None for name, place in places.items()}
