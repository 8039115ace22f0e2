"""Datasets of one file that is written in one piece, on any file system that fsspec knows."""

from __future__ import annotations

import io
from abc import abstractmethod
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar

import fsspec
import polars as pl
from kedro.io import AbstractDataset

Content = TypeVar("Content")


class WholeFileDataset(AbstractDataset[Content, Content], Generic[Content]):
    """A file that is complete or not there; a subclass says what its bytes mean.

    Args:
        filepath: path or address.
    """

    def __init__(self, filepath: str) -> None:
        self._filepath = str(filepath)

    @abstractmethod
    def encode(self, data: Content) -> bytes:
        """The file's bytes."""

    @abstractmethod
    def decode(self, content: bytes) -> Content:
        """What the bytes mean."""

    def save(self, data: Content) -> None:
        """Write the file in one piece."""
        content = self.encode(data)
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        with filesystem.transaction, filesystem.open(path, "wb") as file:
            file.write(content)

    def load(self) -> Content:
        """Read the file."""
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return self.decode(filesystem.cat_file(path))

    def _exists(self) -> bool:
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return bool(filesystem.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class BytesDataset(WholeFileDataset[bytes]):
    """A file as it is."""

    def encode(self, data: bytes) -> bytes:
        """The bytes themselves."""
        return data

    def decode(self, content: bytes) -> bytes:
        """The bytes themselves."""
        return content


class LedgerDataset(WholeFileDataset[pl.DataFrame | None]):
    """A Parquet table that each run reads and writes again in one piece; None before the first."""

    def encode(self, data: pl.DataFrame | None) -> bytes:
        """The table as Parquet."""
        assert data is not None
        buffer = io.BytesIO()
        data.write_parquet(buffer, compression="zstd")
        return buffer.getvalue()

    def decode(self, content: bytes) -> pl.DataFrame:
        """The table of a Parquet file."""
        return pl.read_parquet(io.BytesIO(content))

    def load(self) -> pl.DataFrame | None:
        """The table as the last run has left it."""
        return super().load() if self._exists() else None
