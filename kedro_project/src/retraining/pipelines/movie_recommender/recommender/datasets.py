"""The Kedro dataset of the trained recommender."""

from __future__ import annotations

import io

from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from tracked_kedro.kedro_side.whole_files import WholeFileDataset


class FactorModelDataset(WholeFileDataset[FactorModel]):
    """A factor model as one `.npz` file without pickle."""

    def encode(self, data: FactorModel) -> bytes:
        """The model's file."""
        return data.to_bytes()

    def decode(self, content: bytes) -> FactorModel:
        """The model of a file."""
        return FactorModel.load(io.BytesIO(content))
