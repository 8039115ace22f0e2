"""`make retrain` may read what the person who types it names; a process that nobody gave a list may not."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.deployment import ROOT
from tracked_kedro.cli.settings import dag_settings

PROJECT = ROOT / "kedro_project"
LINE = "2024-05-01T10:00:00,1,GET /rate/a+2000=4\n"


@pytest.fixture
def stream(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "theirs" / "stream.csv"
    path.parent.mkdir()
    path.write_text(LINE)
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    return path


def test_the_command_reads_what_it_is_given(stream: Path) -> None:
    assert dag_settings(PROJECT, "movie_recommender", [f"movies={stream}"])["cutoff"] == "2024-06-01"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the stream is empty"),
        ("2999-05-01T10:00:00+00:00,1,GET /rate/a=4\n", "in the future; it can be read from 2999-06-01 on"),
        ("c4n4ry of another kind\n", r"line 1 has the shape a9a9a a a a\. What can be read: lines"),
    ],
)
def test_a_stream_of_which_no_month_can_be_made_is_refused_before_airflow_is_called(
    stream: Path, text: str, message: str
) -> None:
    stream.write_text(text)
    with pytest.raises(click.ClickException, match=message) as refused:
        dag_settings(PROJECT, "movie_recommender", [f"movies={stream}"])
    assert "c4n4ry" not in refused.value.message


@pytest.mark.parametrize("secret", ["http://user:c4n4ry@127.0.0.1:9/x", "https://host/x?X-Amz-Signature=c4n4ry"])
def test_a_credential_is_refused_before_airflow_is_called(stream: Path, secret: str) -> None:
    with pytest.raises(click.ClickException, match=r"movie_recommender\.movies: .*credentials\.yml") as refused:
        dag_settings(PROJECT, "movie_recommender", [f"movies={secret}"])
    assert "c4n4ry" not in refused.value.message


@pytest.mark.parametrize("movies", ["{stream}", "/proc/self/environ", "http://127.0.0.1:9/x", "file://{stream}"])
def test_a_run_that_anybody_may_start_reads_none_of_it(stream: Path, movies: str) -> None:
    bootstrap_project(PROJECT)
    given = {"movie_recommender": {"movies": movies.format(stream=stream)}, "use_mlflow": False}
    with (
        KedroSession.create(PROJECT, runtime_params=given, save_on_close=False) as session,
        pytest.raises(Exception, match="ALLOWED_SOURCES") as refused,
    ):
        session.run(pipeline_names=["movie_recommender"], node_names=["keep_stream"])
    assert LINE.strip() not in str(refused.value)
