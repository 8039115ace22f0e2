"""Which files the page keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracked_kedro.web.forecasts.kept import Files


def download(log: list[str], size: int = 10):
    def write(path: str, folder: str) -> str:
        log.append(path)
        file = Path(folder) / Path(path).name
        file.write_bytes(b"x" * size)
        return str(file)

    return write


def test_a_file_is_downloaded_once_an_owner(tmp_path: Path):
    log: list[str] = []
    files = Files(tmp_path)
    first = files.get("run-1", "forecasts/a.parquet", download(log))
    assert files.get("run-1", "forecasts/a.parquet", download(log)) == first
    assert files.get("run-2", "forecasts/a.parquet", download(log)) != first
    assert log == ["forecasts/a.parquet"] * 2
    assert first.endswith(".parquet")


def test_nothing_is_left_of_a_download_that_fails(tmp_path: Path):
    log: list[str] = []
    files = Files(tmp_path)

    def broken(path: str, folder: str) -> str:
        (Path(folder) / "half").write_bytes(b"x")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        files.get("run", "a.parquet", broken)
    assert Path(files.get("run", "a.parquet", download(log))).read_bytes() == b"x" * 10


def test_the_least_recently_used_files_make_room(tmp_path: Path):
    log: list[str] = []
    files = Files(tmp_path, most_bytes=25)
    paths = [files.get("run", name, download(log)) for name in ("a", "b")]
    os.utime(paths[0], (1, 1))
    newest = files.get("run", "c", download(log))
    assert [Path(path).exists() for path in (*paths, newest)] == [False, True, True]
    assert Path(files.get("run", "a", download(log))).exists()
    assert log == ["a", "b", "c", "a"]
