"""Posteriors on any file system."""

from pathlib import Path

import numpy as np

from retraining.pipelines.climate_brazil.series.datasets import PosteriorDataset


def test_a_posterior_comes_back_bit_for_bit(posterior, tmp_path: Path) -> None:
    dataset = PosteriorDataset(str(tmp_path / "posteriors" / "a.nc"))
    dataset.save(posterior)
    assert np.array_equal(dataset.load().forecast(12).mean, posterior.forecast(12).mean)
