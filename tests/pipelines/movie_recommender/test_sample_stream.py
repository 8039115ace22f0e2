"""The simulated stream: always the same, with known rejects, and with something to learn."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.stations.sample import MARKER
from retraining.pipelines.movie_recommender.stream.datasets import StreamDataset
from retraining.pipelines.movie_recommender.stream.parsing import parse_lines
from retraining.pipelines.movie_recommender.stream.sample import titles, wire, with_quirks, write_sample


def test_the_bytes_are_always_the_same_and_marked(tmp_path: Path) -> None:
    one, two = write_sample(tmp_path / "one"), write_sample(tmp_path / "two")
    names = sorted(path.name for path in one.parent.iterdir())
    assert names == [MARKER, "kafka_stream.csv", "movie_runtimes.csv"]
    assert all((one.parent / name).read_bytes() == (two.parent / name).read_bytes() for name in names)
    assert "simulated sample" in (one.parent / MARKER).read_text()


def test_what_is_there_is_not_written_again_unless_it_is_of_another_version(tmp_path: Path) -> None:
    stream = write_sample(tmp_path)
    stream.write_text("edited")
    write_sample(tmp_path)
    assert stream.read_text() == "edited"
    (tmp_path / MARKER).write_text("simulated sample, version 0")
    write_sample(tmp_path)
    assert stream.stat().st_size > 10_000


def test_a_real_stream_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kafka_stream.csv").write_text("real")
    with pytest.raises(FileExistsError, match="holds a stream that is no simulated sample"):
        write_sample(tmp_path)
    assert (tmp_path / "kafka_stream.csv").read_text() == "real"


def test_titles_are_unique_and_some_are_odd() -> None:
    found = titles(5000)
    assert len(set(found)) == 5000
    assert any("," in title for title in found)
    assert any("++" in title for title in found)
    assert any("é" in title for title in found)
    assert not any(title == title.strip() and " " in title for title in found)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rejects_of_a_generated_stream_are_known(tmp_path: Path, seed: int) -> None:
    random = np.random.RandomState(seed)
    n = 100_000
    view = random.uniform(size=n) < 0.5
    events = pl.DataFrame(
        {
            "time": datetime(2024, 5, 1)
            + pl.Series(np.sort(random.randint(0, 86_400, n))).cast(pl.Duration("ms")) * 1000,
            "user": random.randint(1, 10_000, n),
            "movie": random.randint(0, 500, n),
            "minute": pl.Series(random.randint(0, 90, n)).set(pl.Series(~view), None),
            "rating": pl.Series(random.randint(1, 6, n)).set(pl.Series(view), None),
        }
    )
    quirky = with_quirks(wire(events, titles(500)), random, share=0.1)
    assert len(quirky.lines) == n
    assert set(quirky.rejects) == {"fields", "time", "user", "request", "minute", "rating"}
    path = tmp_path / "stream.csv"
    path.write_text("\n".join(quirky.lines) + "\n")
    stream = StreamDataset(str(path)).load()
    counts = [parse_lines(lines, stream.read_at).counts for lines in stream]
    total = {key: sum(one[key] for one in counts) for key in counts[0]}
    assert total["lines"] == n
    found = {
        key.removeprefix("rejected."): count for key, count in total.items() if key.startswith("rejected.") and count
    }
    assert found == quirky.rejects
    assert total["rejected"] == sum(quirky.rejects.values())
    assert total["blanks_removed"] == quirky.blanks
    assert total["recommendation_requests"] == quirky.recommendations
