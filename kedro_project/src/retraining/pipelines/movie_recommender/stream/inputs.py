"""The recommender's raw inputs by content: kept when a run begins, read by the run's manifest from then on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from kedro.io import AbstractDataset

from retraining.pipelines.movie_recommender.recommender.pairs import RUNTIMES
from retraining.pipelines.movie_recommender.stream.datasets import (
    LineStream,
    StreamDataset,
    StreamFile,
    find_runtimes,
    read_runtimes,
    utc_now,
)
from retraining.pipelines.movie_recommender.stream.sample import RUNTIMES_FILE
from tracked_kedro.kedro_side.locations import raw_inputs
from tracked_kedro.kedro_side.raw_inputs import RawInputs, read_manifest
from tracked_kedro.kedro_side.sources.opening import shown

log = logging.getLogger(__name__)


class StreamSourceDataset(AbstractDataset[None, dict[str, Any]]):
    """The place that the stream and the table of runtimes come from.

    Args:
        movies: the stream, as for `StreamDataset`.
        runtimes: the table; None for the one beside the stream, where there is one.
        parameter: Kedro parameter that names the stream, for whoever runs it again.
        configured: what configuration names, beside which ALLOWED_SOURCES alone says what may be read.
        credentials: fsspec's options for addresses that configuration names.
    """

    def __init__(
        self,
        movies: str | None,
        runtimes: str | None,
        parameter: str,
        configured: Sequence[str | None] = (),
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        self._movies, self._runtimes, self._parameter = movies, runtimes, parameter
        self._configured, self._credentials = configured, credentials

    def load(self) -> dict[str, Any]:
        """Keep the files by content, in chunks; the run's manifest.

        Returns:
            Where the stream comes from (`origin`), whether it is `simulated`, the Kedro `parameter` that would name it,
            the `file` which that has to name (empty: the folder of all), where the `runtimes` come from (None: there
            are none), and the digests by name (`files`).

        Raises:
            BadStreamError: the stream is not there.
            RuntimesError: the table that was named is absent.
            SourceRefusedError: this deployment does not read one of them.
        """
        stream = StreamDataset(self._movies, self._configured, self._credentials).load()
        table = find_runtimes(self._movies, self._runtimes, self._configured, self._credentials)
        kept = RawInputs(raw_inputs())
        files = {}
        for number, file in enumerate(stream.files, start=1):
            files[file.name] = kept.keep(file.source)
            log.info("Stream: %s kept as %s (%d of %d)", file.name, files[file.name], number, len(stream.files))
        if table is not None:
            files[RUNTIMES_FILE] = kept.keep(table)
        return {
            "origin": stream.origin,
            "simulated": stream.simulated,
            "parameter": self._parameter,
            "file": stream.files[0].name if len(stream.files) == 1 else "",
            "runtimes": None if table is None else table.shown,
            "files": files,
        }

    def save(self, data: None) -> None:
        """The source is read, never written."""
        raise NotImplementedError("the source is read, never written")

    def _describe(self) -> dict[str, Any]:
        places = {"movies": self._movies, "runtimes": self._runtimes}
        return {name: shown(place) if place else None for name, place in places.items()}


class KeptStreamDataset(AbstractDataset[None, LineStream]):
    """The stream that a run's manifest names.

    Args:
        manifest: address of the manifest.
        root: where the files are kept by content.
    """

    def __init__(self, manifest: str, root: str) -> None:
        self._manifest, self._kept = manifest, RawInputs(root)

    def load(self) -> LineStream:
        """Fetch and check the files, then read them lazily.

        Raises:
            RawInputError: one is not kept any more, or was changed.
        """
        manifest = read_manifest(self._manifest)
        named = ((name, digest) for name, digest in manifest["files"].items() if name != RUNTIMES_FILE)
        files = tuple(StreamFile(self._kept.source(digest), name) for name, digest in named)
        return LineStream(files, manifest["origin"], manifest["simulated"], utc_now())

    def save(self, data: None) -> None:
        """Raw inputs are read, never written."""
        raise NotImplementedError("raw inputs are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"manifest": self._manifest, "root": self._kept.root}


class KeptRuntimesDataset(AbstractDataset[None, pl.DataFrame]):
    """The table of runtimes that a run's manifest names.

    Args:
        manifest: address of the manifest.
        root: where the files are kept by content.
    """

    def __init__(self, manifest: str, root: str) -> None:
        self._manifest, self._kept = manifest, RawInputs(root)

    def load(self) -> pl.DataFrame:
        """Columns `pairs.RUNTIMES`, one row per movie; empty where there is no table.

        Raises:
            RuntimesError: a column or number is wrong.
            RawInputError: it is not kept any more, or was changed.
        """
        manifest = read_manifest(self._manifest)
        if manifest["runtimes"] is None:
            return pl.DataFrame(schema=RUNTIMES)
        return read_runtimes(self._kept.source(manifest["files"][RUNTIMES_FILE]), manifest["runtimes"])

    def save(self, data: None) -> None:
        """Raw inputs are read, never written."""
        raise NotImplementedError("raw inputs are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"manifest": self._manifest, "root": self._kept.root}
