"""The Kedro dataset of one posterior."""

from __future__ import annotations

import io

from retraining.pipelines.climate_brazil.structural import Posterior, load_posterior, to_netcdf
from tracked_kedro.kedro_side.whole_files import WholeFileDataset


class PosteriorDataset(WholeFileDataset[Posterior]):
    """One posterior as a NetCDF file."""

    def encode(self, data: Posterior) -> bytes:
        """The posterior's NetCDF file."""
        return to_netcdf(data)

    def decode(self, content: bytes) -> Posterior:
        """The posterior of a NetCDF file."""
        return load_posterior(io.BytesIO(content))
