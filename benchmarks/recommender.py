"""The recommender's hyperparameters: searched on validation pairs, reported once on test pairs, beside the baselines.

    python benchmarks/recommender.py

On the simulated sample and, where it is there, on the real stream (RETRAINING_TEST_DATA). The test pairs are those that
the pipeline holds out; a fifth of the rest is held out once more, and on it alone each combination of the grid is
scored by RMSE. The default is the combination whose worst ratio to the best of a stream is smallest: two streams that
differ as much as these want different ones, and one default serves both.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import publish

from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from retraining.pipelines.movie_recommender.recommender.evaluation import DEPTH, evaluate, split
from retraining.pipelines.movie_recommender.recommender.pairs import aggregate, with_targets
from retraining.pipelines.movie_recommender.recommender.training import train
from retraining.pipelines.movie_recommender.stream.datasets import RuntimesDataset, StreamDataset
from retraining.pipelines.movie_recommender.stream.parsing import parse_lines
from retraining.pipelines.movie_recommender.stream.sample import write_sample

SEED, TEST_SIZE, DEFAULT_RUNTIME, RANKED_USERS = 20241201, 0.2, 100.0, 10_000
GRID = {
    "factors": (2, 8, 16, 32),
    "epochs": (10, 20, 40, 80),
    "learning_rate": (0.005, 0.01, 0.02),
    "regularisation": (0.02, 0.05, 0.1, 0.2),
}


def pairs_of(stream: Path) -> pl.DataFrame:
    """All pairs of a stream, with their targets."""
    lines = StreamDataset(str(stream)).load()
    events = pl.concat(parse_lines(batch, lines.read_at).events for batch in lines)
    return with_targets(aggregate(events.lazy()), RuntimesDataset(str(stream), None).load(), DEFAULT_RUNTIME)


def search(training: pl.DataFrame) -> dict[tuple[Any, ...], float]:
    """RMSE on validation pairs by combination."""
    learnt, validation = split(training, TEST_SIZE, SEED + 1)
    target = validation["target"].to_numpy()
    found = {}
    for combination in itertools.product(*GRID.values()):
        model = train(learnt, FactorisationConfig(**dict(zip(GRID, combination, strict=True))), SEED)
        user = model.user_index(validation["user"].to_numpy())
        movie = model.movie_index(validation["movie"].to_numpy().astype(str))
        found[combination] = float(np.sqrt(np.mean((model.predict(user, movie) - target) ** 2)))
    return found


def report(name: str, training: pl.DataFrame, test: pl.DataFrame, config: FactorisationConfig) -> list[list[Any]]:
    """Rows of the table: each method on the test pairs."""
    scores = evaluate(train(training, config, SEED), training, test, RANKED_USERS, SEED)
    return [
        [f"{name}: {method}", round(one["rmse"], 4), round(one["recall"][DEPTH], 4), round(one["ndcg"][DEPTH], 4)]
        for method, one in scores["models"].items()
    ]


def main() -> None:
    """Search on both streams, choose, and report."""
    data = Path(os.environ.get("RETRAINING_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    with tempfile.TemporaryDirectory() as folder:
        streams = {"sample": write_sample(Path(folder) / "movies"), "real": data / "movies" / "kafka_stream.csv"}
        tables = {name: pairs_of(path) for name, path in streams.items() if path.is_file()}
    parts = {name: split(table, TEST_SIZE, SEED) for name, table in tables.items()}
    ratios: dict[tuple[Any, ...], list[float]] = {}
    best = {}
    for name, (training, _) in parts.items():
        begin = time.perf_counter()
        scores = search(training)
        best[name] = min(scores, key=scores.__getitem__)
        print(
            f"{name}: {len(scores)} combinations in {time.perf_counter() - begin:.0f} s, best {best[name]}", flush=True
        )
        for combination, rmse in scores.items():
            ratios.setdefault(combination, []).append(rmse / scores[best[name]])
    chosen = min(ratios, key=lambda combination: max(ratios[combination]))
    default = FactorisationConfig()
    rows = []
    for name, (training, test) in parts.items():
        rows += report(name, training, test, default)
        own = FactorisationConfig(**dict(zip(GRID, best[name], strict=True)))
        rows += [[f"{name}: model, best for this stream", *row[1:]] for row in report(name, training, test, own)[:1]]
    same = (
        "the default" if FactorisationConfig(**dict(zip(GRID, chosen, strict=True))) == default else "NOT the default"
    )
    worst = max(ratios[chosen])
    figure = (
        f"chosen {dict(zip(GRID, chosen, strict=True))} ({same}), at worst {worst:.3f} times the best RMSE of a stream"
    )
    publish("recommender", figure, ["method", "RMSE", f"recall@{DEPTH}", f"NDCG@{DEPTH}"], rows, best=best)


if __name__ == "__main__":
    main()
