"""Reading a simulated Kafka dump whose malformed lines are known: seconds, peak memory, and whether all were found.

    python benchmarks/kafka_stream.py [LINES …]

Each stream is written first (not measured), then `kedro run` reads it on one core, one node a process as in the DAG;
the peak is the largest resident set of that process, libraries included. Constant memory shows in the peaks of two
sizes, 300,000 and 3,000,000 lines; FULL=1: 1,000,000 and 10,000,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from measure import publish

from retraining.pipelines.movie_recommender.stream.sample import titles, wire, with_quirks

ROOT = Path(__file__).resolve().parents[1]
LINES = (1_000_000, 10_000_000) if os.environ.get("FULL") else (300_000, 3_000_000)
BLOCK = 500_000
N_USERS, N_MOVIES = 200_000, 5_000
#: Lines of one user watching one movie, a minute each; each is followed by a rating in one case of five.
SESSION = 50
QUIRK_SHARE = 0.01
NODES = ("keep_stream", "process_kafka", "aggregate_ratings", "normalize_minutes", "train_and_evaluate", "top_n")
AIM_PEAK, AIM_SECONDS = 1024, 300


def write_stream(path: Path, lines: int, seed: int) -> dict[str, int]:
    """Write the stream, and tell what must be counted in it."""
    random = np.random.RandomState(seed)
    names = titles(N_MOVIES)
    known: dict[str, int] = {"lines": 0, "rejected": 0, "blanks_removed": 0, "recommendation_requests": 0}
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, lines, BLOCK):
            size = min(BLOCK, lines - start)
            session = np.arange(size) // SESSION
            count = session[-1] + 1
            user = random.randint(1, N_USERS + 1, count)[session]
            movie = (N_MOVIES * random.uniform(size=count) ** 3).astype(int)[session]
            minute = np.arange(size) % SESSION
            rated = (minute == SESSION - 1) & (random.uniform(size=count)[session] < 0.2)
            events = pl.DataFrame(
                {
                    "time": datetime(2024, 1, 1) + pl.Series(1_000 * (start + np.arange(size))).cast(pl.Duration("ms")),
                    "user": user,
                    "movie": movie,
                    "minute": pl.Series(minute).set(pl.Series(rated), None),
                    "rating": pl.Series(random.randint(1, 6, size)).set(pl.Series(~rated), None),
                }
            )
            quirky = with_quirks(wire(events, names), random, QUIRK_SHARE)
            file.write("\n".join(quirky.lines) + "\n")
            known["lines"] += size
            known["blanks_removed"] += quirky.blanks
            known["recommendation_requests"] += quirky.recommendations
            for reason, number in quirky.rejects.items():
                known["rejected"] += number
                known[f"rejected.{reason}"] = known.get(f"rejected.{reason}", 0) + number
    return known


def run_node(node: str, stream: Path, var: Path) -> tuple[float, float, float]:
    """Run one node of the pipeline on the stream: wall seconds, CPU seconds, peak MiB."""
    environment = {**os.environ, "RETRAINING_VAR": str(var), "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["ALLOWED_SOURCES"] = json.dumps([str(stream.parent)])
    parameters = f"use_mlflow=false,movie_recommender.movies={stream},movie_recommender.cutoff=2025-01-01"
    command = ["kedro", "run", "--pipelines", "movie_recommender", "--nodes", node, "--params", parameters]
    with tempfile.TemporaryFile() as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT / "kedro_project", env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        if status:
            log.seek(0)
            sys.exit(f"{node} failed:\n{log.read().decode()[-3000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Write and read each size, hold the counts against what is known, and publish."""
    sizes = [int(size.replace("_", "")) for size in sys.argv[1:]] or list(LINES)
    rows, peaks, seconds = [], {}, 0.0
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            stream = folder / "stream.csv"
            known = write_stream(stream, size, seed=size % 2**31)
            megabytes = stream.stat().st_size / 1e6
            print(f"{size:,} lines, {megabytes:,.0f} MB, {known['rejected']:,} to be rejected", flush=True)
            for node in NODES:
                seconds, cpu, peak = run_node(node, stream, folder / "var")
                print(f"  {node}: {seconds:.1f} s, {cpu:.1f} CPU-s, peak {peak:.0f} MiB", flush=True)
                rows.append([f"{size:,} {node}", round(seconds, 1), round(cpu, 1), round(peak)])
                if node == "process_kafka":
                    peaks[size] = peak
                    summary = json.loads((folder / "var/data/movie_recommender/kedro/summary.json").read_text())
                    counted = {key: summary["counts"][key] for key in known}
                    if counted != known:
                        sys.exit(f"counted {counted}, known {known}")
                    read = (seconds, known["rejected"])
    largest = max(peaks)
    met = "met" if peaks[largest] < AIM_PEAK and read[0] < AIM_SECONDS else "MISSED"
    growth = "".join(f", {peaks[size]:.0f} MiB at {size:,}" for size in sorted(peaks)[:-1])
    figure = (
        f"{largest:,} lines in {read[0]:.0f} s, peak {peaks[largest]:.0f} MiB{growth}; all {read[1]:,} rejects found; "
        f"aim {AIM_SECONDS} s and {AIM_PEAK} MiB: {met}"
    )
    publish("kafka_stream", figure, ["node", "wall s", "CPU-s", "peak MiB"], rows)


if __name__ == "__main__":
    main()
