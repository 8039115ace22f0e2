"""Posteriors of many series in one archive of plain arrays (NumPy's .npz, no pickle), about 24 kB a series.

Kept are the weighted points, the data and one line of JSON a series, one after the other with offsets; a posterior is
put together when it is asked for.
"""

import io
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contents import attribute_of, from_contents, has_recent
from .errors import PosteriorFileError
from .posterior import Posterior

MAX_BYTES = 64 * 1024  # a series

_PARTS = ("log_theta", "weight", "recent_log_theta", "recent_weight", "temperature", "attribute")


def pack(posteriors: Iterable[Posterior]) -> bytes:
    """The archive of these posteriors.

    Raises:
        ValueError: a series needs more than `MAX_BYTES`.
    """
    ids: list[str] = []
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _PARTS}
    for posterior in posteriors:
        recent = posterior.recent
        own: dict[str, NDArray[Any]] = {
            "log_theta": posterior.log_theta,
            "weight": posterior.raw_weight,
            "recent_log_theta": np.empty((0, 3), np.float32) if recent is None else recent.log_theta,
            "recent_weight": np.empty(0, np.float32) if recent is None else recent.raw_weight,
            "temperature": posterior.series.values,
            "attribute": np.frombuffer(attribute_of(posterior).encode(), dtype=np.uint8),
        }
        size = sum(values.nbytes for values in own.values())
        if size > MAX_BYTES:
            raise ValueError(
                f"series {posterior.series_id!r} would take {size / 1024:.0f} KB of the model, {MAX_BYTES // 1024} are "
                "allowed; lower `points` in the inference parameters to 2048 or less"
            )
        ids.append(posterior.series_id)
        for name, values in own.items():
            parts[name].append(values)
    arrays = {"series": np.array(ids)}
    for name in _PARTS:
        rows = parts.pop(name)  # not held twice once they are joined: a large fleet takes hundreds of megabytes
        arrays[name] = np.concatenate(rows) if rows else np.empty(0)
        arrays[f"{name}_end"] = np.cumsum([len(one) for one in rows], dtype=np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


class Fleet:
    """Posteriors by series id, from what `pack` has made: a file or its content."""

    def __init__(self, source: Path | str | bytes) -> None:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        try:
            with np.load(file, allow_pickle=False) as archive:
                self._arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, KeyError) as error:
            raise PosteriorFileError(f"not an archive of posteriors ({error}); train again") from error

    @cached_property
    def _position(self) -> dict[str, int]:
        return {str(series): place for place, series in enumerate(self._arrays["series"])}

    @property
    def ids(self) -> list[str]:
        """Series in the archive, in its order."""
        return list(self._position)

    def posterior(self, series: str) -> Posterior:
        """The posterior of one series.

        Raises:
            KeyError: the archive has no such series.
        """
        attribute = self._part("attribute", series).tobytes().decode()
        recent = None
        if has_recent(attribute):
            recent = self._part("recent_log_theta", series), self._part("recent_weight", series)
        points = self._part("log_theta", series), self._part("weight", series)
        return from_contents(*points, self._part("temperature", series), attribute, recent)

    def _part(self, name: str, series: str) -> NDArray[Any]:
        place, ends = self._position[series], self._arrays[f"{name}_end"]
        return self._arrays[name][ends[place - 1] if place else 0 : ends[place]]
