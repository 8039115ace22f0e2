"""Simulated stations, for a checkout without the real files: same format, climate, trends and gaps, other numbers.

    temperature = normal of the month + linear trend + slow wiggle (AR(1)) + noise

Nothing here was copied from a station file: normals are public climate normals rounded to half a degree, and length of
record, share of missing months and longest gap are set as they are in real records of this kind. Every folder that is
written carries a marker file, so that logs, tags and plots can say "simulated sample".
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracked_kedro.kedro_side.local_files import write_atomically
from tracked_kedro.kedro_side.simulated import MARKER, is_simulated

MARKER_TEXT = (
    "simulated sample\n\nThe station files in this folder are not measurements. "
    "This project wrote them, the same bytes each time.\n"
)
HEADER = "YEAR,JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC,D-J-F,M-A-M,J-J-A,S-O-N,metANN"
MISSING = 999.90
LAST_YEAR, LAST_MONTH = 2019, 10  # November and December of the last year are missing in every file


class Climate(NamedTuple):
    """Normals January to December in °C, trend in °C a century, standard deviations of wiggle and noise in °C, first
    month as (year, month), share of the file's months that are missing, longest gap in months."""

    normals: tuple[float, ...]
    trend: float
    wiggle: float
    noise: float
    first: tuple[int, int]
    missing: float
    longest_gap: int


def _normals(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split())


# Known climates by series id; an id that is not here gets GENERIC with a seed of its own.
CLIMATES = {
    "belem": Climate(_normals("26.5 26.5 26.5 27 27 27 27 27 27 27.5 27.5 27"), 3.4, 0.3, 0.3, (1961, 1), 0.284, 55),
    "curitiba": Climate(_normals("21 21 20 18 15 14 13.5 15 15.5 17 19 20"), 2.3, 0.4, 0.95, (1961, 1), 0.13, 24),
    "fortaleza": Climate(
        _normals("27.5 27 27 26.5 26.5 26 26 26.5 27 27.5 27.5 27.5"), 3.3, 0.3, 0.3, (1961, 1), 0.212, 46
    ),
    "goiania": Climate(_normals("25 25 25 25 23.5 22 22 24.5 26.5 26.5 25.5 25"), 3.2, 0.35, 0.6, (1961, 1), 0.151, 33),
    "macapa": Climate(
        _normals("26.5 26 26.5 26.5 27 27 27 28 28.5 28.5 28.5 27.5"), 3.2, 0.3, 0.3, (1967, 12), 0.105, 25
    ),
    "manaus": Climate(_normals("26.5 26.5 26.5 26.5 27 27 27 28 28 28 27.5 27"), 1.4, 0.4, 0.4, (1910, 1), 0.114, 38),
    "recife": Climate(
        _normals("26.5 26.5 26.5 26 25.5 24.5 24 24 25 25.5 26 26.5"), 2.6, 0.3, 0.3, (1942, 12), 0.08, 19
    ),
    "rio": Climate(_normals("26.5 27 26 25 23 21.5 21.5 22 22 23 24.5 25.5"), 2.7, 0.35, 0.8, (1973, 1), 0.083, 13),
    "salvador": Climate(
        _normals("26.5 26.5 26.5 26 25.5 24.5 24 23.5 24.5 25.5 25.5 26"),
        3.4,
        0.35,
        0.35,
        (1961, 12),
        0.134,
        12,
    ),
    "sao_luiz": Climate(
        _normals("27 26.5 26.5 26.5 26.5 26.5 26.5 26.5 27 27 27.5 27.5"),
        2.9,
        0.3,
        0.35,
        (1979, 12),
        0.228,
        33,
    ),
    "sao_paulo": Climate(
        _normals("22.5 23 22 20.5 18 17 16.5 17.5 18.5 19.5 21 22"), 2.8, 0.4, 0.95, (1946, 12), 0.056, 22
    ),
    "vitoria": Climate(_normals("26.5 27 26.5 25.5 23.5 22.5 22 22 23 24 25 26"), 2.6, 0.4, 0.65, (1961, 1), 0.177, 45),
}
GENERIC = Climate(_normals("26.5 26.5 26.5 26.5 26 25.5 25.5 26 26.5 27 27 26.5"), 2.5, 0.3, 0.4, (1965, 1), 0.12, 24)


def write_sample(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Writes one simulated file for each entry `{id: {file: ...}}` and the marker; the same bytes at each call.

    Raises FileExistsError where the folder holds CSV files and no marker: those are not ours to overwrite.
    """
    folder = Path(folder)
    if not is_simulated(folder) and any(folder.glob("*.csv")):
        raise FileExistsError(f"{folder} holds files that are no simulated sample; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    # The marker comes first: a sample that is cut short must never pass for real files.
    write_atomically(folder / MARKER, MARKER_TEXT.encode())
    paths = []
    for series, entry in entries.items():
        path = folder / str(entry["file"])
        write_atomically(path, station_text(series).encode())
        paths.append(path)
    return paths


def station_text(series: str) -> str:
    """The whole CSV file of one simulated station."""
    climate = CLIMATES.get(series, GENERIC)
    seed = int.from_bytes(hashlib.sha256(series.encode()).digest()[:4], "big")
    # RandomState: the one generator whose stream NumPy promises never to change.
    random = np.random.RandomState(seed)
    years = np.arange(climate.first[0], LAST_YEAR + 1)
    start, stop = climate.first[1] - 1, 12 * (len(years) - 1) + LAST_MONTH
    full = _temperatures(climate, len(years), random)
    months = np.where(_missing(climate, full.size, start, stop, random), MISSING, full)
    lines = [HEADER]
    for k, year in enumerate(years):
        row = months[12 * k : 12 * k + 12]
        lines.append(",".join([str(year), *(f"{value:.2f}" for value in (*row, *_estimates(full, months, k)))]))
    return "\n".join(lines) + "\n"


def _temperatures(climate: Climate, years: int, random: np.random.RandomState) -> NDArray[np.float64]:
    """Shape (12·years,), °C. The normals are reached in 1990, and the wiggle keeps 0.92 of itself each month."""
    n = 12 * years
    year = climate.first[0] + np.arange(n) / 12
    shocks = random.normal(size=n) * climate.wiggle * np.sqrt(1 - 0.92**2)
    wiggle = np.empty(n)
    level = random.normal() * climate.wiggle
    for i, shock in enumerate(shocks):
        level = 0.92 * level + shock
        wiggle[i] = level
    seasonal = np.tile(climate.normals, years)
    return np.round(seasonal + climate.trend * (year - 1990) / 100 + wiggle + climate.noise * random.normal(size=n), 2)


def _missing(climate: Climate, n: int, start: int, stop: int, random: np.random.RandomState) -> NDArray[np.bool_]:
    """Months outside [start, stop), one gap of the longest length, then short ones until the share is reached."""
    missing = np.ones(n, dtype=bool)
    missing[start:stop] = False
    wanted = round(climate.missing * n)
    lengths = [climate.longest_gap]
    while missing.sum() < wanted:
        length = min(lengths.pop() if lengths else 1 + random.geometric(0.25), wanted - int(missing.sum()))
        # A year and a half at both ends stays observed, and gaps keep a month apart, or two would make a longer one.
        at = random.randint(start + 18, stop - 18 - length)
        if not missing[at - 1 : at + length + 1].any():
            missing[at : at + length] = True
        elif length == climate.longest_gap:
            lengths.append(length)
    return missing


def _estimates(full: NDArray[np.float64], months: NDArray[np.float64], k: int) -> list[float]:
    """D-J-F (with the December before), M-A-M, J-J-A, S-O-N and the year, from two months of three on."""
    seasons = [np.arange(12 * k + first, 12 * k + first + 3) for first in (-1, 2, 5, 8)]
    # Where the first December is not in the file, January and February stand for the season.
    seasons[0] = seasons[0][seasons[0] >= 0]
    means = [float(full[s].mean()) if (months[s] != MISSING).sum() >= 2 else MISSING for s in seasons]
    known = [mean for mean in means if mean != MISSING]
    return [*means, float(np.mean(known)) if len(known) >= 3 else MISSING]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m retraining.pipelines.climate_brazil.stations.sample FOLDER")
    for written in write_sample(Path(sys.argv[1]), {name: {"file": f"station_{name}.csv"} for name in CLIMATES}):
        print(written)
