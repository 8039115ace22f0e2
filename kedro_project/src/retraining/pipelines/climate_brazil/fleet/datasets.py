"""The Kedro dataset of what a fleet has learnt."""

from __future__ import annotations

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from tracked_kedro.kedro_side.whole_files import WholeFileDataset


class LearntFleetDataset(WholeFileDataset[LearntFleet]):
    """What a fleet has learnt, as JSON."""

    def encode(self, data: LearntFleet) -> bytes:
        """The file."""
        return data.to_json()

    def decode(self, content: bytes) -> LearntFleet:
        """What was learnt.

        Raises:
            FleetFileError: the file is something else.
        """
        return LearntFleet.from_json(content)
