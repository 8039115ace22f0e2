"""Runs that anybody may have written who may write to the tracking server: no shape and no size takes the page down."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest
from airflow.api_fastapi.core_api.security import get_user
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient
from starlette.testclient import TestClient

from tests.fixtures.rents import Rents
from tests.fixtures.stored_forecasts import EXPERIMENT, store_months
from tracked_kedro.web.forecasts import app as forecasts_app
from tracked_kedro.web.forecasts import tables, view
from tracked_kedro.web.forecasts.downloads import download
from tracked_kedro.web.tracking import UnreadableError

EACH = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NASTY = [
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a/past",
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }}",
    "%00",
    "?month=x#y",
    "",
    "\x00",
    "A" * 3000,
]
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
NUMBERS = st.one_of(st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324]), st.floats())
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    pl.String: TEXTS,
    pl.Float64: NUMBERS,
    pl.Int64: st.integers(-(2**63), 2**63 - 1),
    pl.UInt8: st.integers(0, 255),
    pl.Boolean: st.booleans(),
    pl.Date: st.dates(),
    pl.Datetime: st.datetimes(),
    pl.Duration: st.timedeltas(timedelta(-1000), timedelta(1000)),
    pl.Binary: st.binary(max_size=20),
    pl.Categorical: TEXTS,
    pl.Decimal(10, 2): st.decimals(-999, 999, places=2),
    pl.List(pl.Float64): st.lists(NUMBERS, max_size=400),
    pl.List(pl.String): st.lists(TEXTS, max_size=3),
    pl.Struct({"a": pl.Int64}): st.fixed_dictionaries({"a": st.integers(0, 9)}),
    pl.Null: st.none(),
}


@st.composite
def frames(draw: st.DrawFn, table: tables.Table) -> pl.DataFrame:
    """Tables with some of the columns, mostly of the right types, and with some that nobody asked for."""
    height = draw(st.integers(0, 4))
    columns = []
    for name, dtype in table.columns.items():
        if draw(st.integers(0, 9)) == 0:
            continue
        dtype = draw(st.sampled_from(list(VALUES))) if draw(st.integers(0, 19)) == 0 else dtype
        values = st.one_of(st.none(), VALUES[dtype])
        columns.append(pl.Series(name, draw(st.lists(values, min_size=height, max_size=height)), dtype))
    for name in draw(st.lists(st.sampled_from(["=1+1", "'=1+1", "<b>", "a\nb", ""]), unique=True, max_size=2)):
        dtype = draw(st.sampled_from(list(VALUES)))
        columns.append(pl.Series(name, draw(st.lists(VALUES[dtype], min_size=height, max_size=height)), dtype))
    return pl.DataFrame(columns)


def written(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def files(table: tables.Table) -> st.SearchStrategy[bytes]:
    """Whole, cut and arbitrary ones."""
    whole = frames(table).map(written)
    cut = st.tuples(whole, st.integers(0, 400)).map(lambda pair: pair[0][: -pair[1] or None])
    return st.one_of(whole, whole, whole, cut, st.binary(max_size=200))


@pytest.mark.parametrize("kind", ["OVERVIEW", "FORECASTS", "HISTORY"])
@settings(EACH, max_examples=150)
@given(data=st.data())
def test_a_table_is_as_the_page_counts_on_it_or_refused(kind: str, tmp_path: Path, data: st.DataObject):
    table: tables.Table = getattr(tables, kind)
    file = tmp_path / "table.parquet"
    file.write_bytes(data.draw(files(table)))
    try:
        found = tables.read(str(file), table)
    except UnreadableError as error:
        # Words of our own: nothing of the content.
        assert str(error).startswith(("it ", "its ", "a text in it"))
        return
    assert {name: found.schema[name] for name in table.columns} == table.columns
    for name in found.select(pl.selectors.by_name(*table.columns) & pl.selectors.float()).columns:
        assert found[name].drop_nulls().is_finite().all()
    found.to_dicts()
    assert found.select(table.keys).null_count().row(0) == (0,) * len(table.keys)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_moment_in_a_column_that_nobody_asked_for_is_one_of_the_calendar(tmp_path: Path, unit: Any, zone: str | None):
    """Polars panics where Python has no such moment, in whatever page comes to it."""
    far = [0, 2**62, -(2**62), 2**63 - 1, 1 - 2**63]
    moments = pl.Series("checked", far, pl.Int64).cast(pl.Datetime(unit, zone))
    overview = pl.DataFrame({"series": [str(place) for place in range(len(far))]}).with_columns(moments)
    (tmp_path / "table.parquet").write_bytes(written(overview))
    found = tables.read(str(tmp_path / "table.parquet"), tables.OVERVIEW)
    assert found.to_dicts()[0]["checked"].year in (1969, 1970)
    download(found, "csv", "rents")


def refused(file: Path, table: tables.Table, frame: pl.DataFrame, **options: Any) -> str:
    frame.write_parquet(file, **options)
    with pytest.raises(UnreadableError) as error:
        tables.read(str(file), table)
    return str(error.value)


def test_sizes_are_bounded_before_anything_is_unpacked(tmp_path: Path):
    file = tmp_path / "table.parquet"
    series = pl.DataFrame({"series": pl.zeros(11_000_000, pl.Int8, eager=True)})
    assert "holds more than 100,000 rows" in refused(file, tables.OVERVIEW, series)
    assert file.stat().st_size < 100_000
    lists = pl.DataFrame({"series": ["a"], "recent": [pl.zeros(11_000_000, eager=True)]})
    assert "holds more than 10,000,000 values" in refused(file, tables.OVERVIEW, lists)
    assert "more than 200 columns" in refused(
        file, tables.OVERVIEW, pl.DataFrame({"series": ["a"], **{str(number): [1] for number in range(201)}})
    )
    assert "longer than" in refused(file, tables.OVERVIEW, pl.DataFrame({"series": ["a"], "label": ["b" * 2001]}))
    assert "names one twice" in refused(file, tables.OVERVIEW, pl.DataFrame({"series": ["a", "a"]}))
    file.write_bytes(b"PAR1")
    with file.open("r+b") as sparse:
        sparse.truncate(65 * 2**20)
    with pytest.raises(UnreadableError, match="larger than 64 MiB"):
        tables.read(str(file), tables.OVERVIEW)


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What the page's own logger is told: Kedro, which the first request may import, takes the root's handlers away."""
    logger, told = logging.getLogger("tracked_kedro.web.forecasts.runs"), []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield told
    logger.removeHandler(handler)


class Site:
    """The page over a real store with one good month; hostile runs come after it."""

    def __init__(self, client: MlflowClient, folder: Path) -> None:
        self.client, self._folder = client, folder
        location = (folder / "artifacts").as_uri()
        self.experiment = client.create_experiment(EXPERIMENT, artifact_location=location)
        self.good = store_months(client, 1, 3).parents["2019-10"]

    def pages(self) -> TestClient:
        """A page that knows nothing yet; whoever asks may see all of the deployment's."""
        app = forecasts_app.application()
        app.dependency_overrides[get_user] = lambda: "anybody"
        return TestClient(app, raise_server_exceptions=False)

    def run(self, files: dict[str, bytes], tags: dict[str, str], metrics: dict[str, float], name: str) -> str:
        run_id = self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id
        for key, value in metrics.items():
            self.client.log_metric(run_id, key, value)
        for path, content in files.items():
            file = self._folder / Path(path).name
            file.write_bytes(content)
            self.client.log_artifact(run_id, str(file), str(Path(path).parent))
        self.client.set_terminated(run_id)
        return run_id


@pytest.fixture
def site(store: MlflowClient, rents: Rents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(view, "may_read", lambda user, dags: bool(dags))
    return Site(store, tmp_path)


# Without shrinking: an example costs a second.
@settings(EACH, max_examples=12, phases=[Phase.generate])
@given(
    overview=files(tables.OVERVIEW),
    forecasts=files(tables.FORECASTS),
    month=st.sampled_from(["2019-12-01", "2019-11-01", "not-a-date", "9999-12-31", "0001-01-01", ""]),
    tags=st.dictionaries(st.sampled_from(["unit", "simulated", "airflow.dag_run_id", "failure"]), TEXTS),
    metrics=st.dictionaries(st.sampled_from(["rmse", "a b"]), NUMBERS, max_size=2),
    name=TEXTS.map(lambda text: text or "x"),
)
def test_whatever_a_run_holds_the_others_are_shown(
    site: Site, overview: bytes, forecasts: bytes, month: str, tags: dict[str, str], metrics: dict, name: str
):
    stored = {"forecasts/overview.parquet": overview, "forecasts/forecasts.parquet": forecasts}
    hostile = site.run(stored, {"cutoff": month, **tags}, metrics, name)
    try:
        pages = site.pages()
        for _ in range(2):
            for path in ("/", f"/{EXPERIMENT}", f"/{EXPERIMENT}?sort=rmse&order=desc", f"/{EXPERIMENT}?q=<"):
                answer = pages.get(path)
                assert answer.status_code == 200, (path, answer.text)
                assert "<script>alert" not in answer.text
        addresses = [f"series/{quote(series, safe='')}" for series in names(overview)]
        addresses += [f"{address}/past" for address in addresses]
        addresses += [f"download/{table}.{kind}" for table in ("overview", "forecasts") for kind in ("csv", "parquet")]
        for address in addresses:
            answer = pages.get(f"/{EXPERIMENT}/{address}")
            assert answer.status_code in (200, 404), (address, answer.text)
        # A run of the same month stands for it where it can be read.
        expected = (200, 404) if month == "2019-11-01" else (200,)
        assert pages.get(f"/{EXPERIMENT}/series/s00001?month=2019-10").status_code in expected
    finally:
        site.client.delete_run(hostile)


def names(overview: bytes) -> list[str]:
    try:
        return [str(one) for one in pl.read_parquet(io.BytesIO(overview))["series"].drop_nulls()][:3]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return []


def test_a_run_that_cannot_be_read_is_passed_over_told_once_and_named_on_the_page(site: Site, messages: list[str]):
    secret = "<b>not for the page</b>"
    broken = site.run({"forecasts/overview.parquet": secret.encode()}, {"cutoff": "2019-12-01"}, {}, "a")
    undated = site.run({"forecasts/overview.parquet": b""}, {"cutoff": secret}, {}, "b")
    pages = site.pages()
    for _ in range(2):
        text = pages.get(f"/{EXPERIMENT}").text
    assert "made after 2019-10" in text
    assert "2 runs could not be read" in text
    assert "not for the page" not in text
    assert sorted(messages) == sorted(
        [
            f"Run {broken} is passed over: forecasts/overview.parquet: it is no such table",
            f"Run {undated} is passed over: its cutoff or its end is no date",
        ]
    )
    site.client.delete_run(undated)
    text = site.pages().get(f"/{EXPERIMENT}").text
    assert f"1 run could not be read: {broken} (forecasts/overview.parquet: it is no such table)" in text


def test_of_two_runs_of_a_month_the_readable_one_is_shown(site: Site):
    site.run({"forecasts/overview.parquet": b"PAR1"}, {"cutoff": "2019-11-01"}, {}, "again")
    text = site.pages().get(f"/{EXPERIMENT}").text
    assert "made after 2019-10" in text
    assert "1 run could not be read" in text


def test_a_table_larger_than_the_limit_is_not_even_downloaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    large = tmp_path / "overview.parquet"
    with large.open("wb") as sparse:
        sparse.truncate(tables.OVERVIEW.most_bytes + 1)
    run_id = site.client.create_run(site.experiment, tags={"cutoff": "2019-12-01"}).info.run_id
    site.client.log_artifact(run_id, str(large), "forecasts")
    site.client.set_terminated(run_id)
    asked: list[str] = []
    real = MlflowClient.download_artifacts
    monkeypatch.setattr(
        MlflowClient, "download_artifacts", lambda self, run, *rest: asked.append(run) or real(self, run, *rest)
    )
    text = site.pages().get(f"/{EXPERIMENT}").text
    assert f"{run_id} (forecasts/overview.parquet: it is larger than 64 MiB)" in text
    assert set(asked) == {site.good}


def test_the_child_that_a_table_names_is_a_child_of_its_run(site: Site):
    """Else a table would show a run of another DAG, which its reader may not see."""
    elsewhere = site.client.create_experiment("strangers", artifact_location=(site._folder / "theirs").as_uri())
    other = site.client.create_run(elsewhere).info.run_id
    site.client.log_metric(other, "salary", 12345.0)
    frame = pl.DataFrame({"series": ["a", "b"], "child_run_id": [other, "../../x"]})
    site.run({"forecasts/overview.parquet": written(frame)}, {"cutoff": "2019-12-01"}, {}, "a")
    pages = site.pages()
    for series in ("a", "b"):
        answer = pages.get(f"/{EXPERIMENT}/series/{series}")
        assert (answer.status_code, "salary" in answer.text) == (200, False)


def test_thousands_of_rows_and_a_long_name_cost_no_minute(site: Site):
    count = 20_000
    frame = pl.DataFrame({"series": [f"{place:06d}" + "é" * 900 for place in range(count)], "rmse": [math.nan] * count})
    site.run({"forecasts/overview.parquet": written(frame)}, {"cutoff": "2019-12-01"}, {}, "a")
    pages = site.pages()
    assert f"of {count:,}" in pages.get(f"/{EXPERIMENT}").text
    assert pages.get(f"/{EXPERIMENT}/series/{'é' * 900}").status_code == 404
