"""Tables as files: what a spreadsheet would execute is text."""

import io

import polars as pl
import pytest

from tracked_kedro.web.forecasts.downloads import download

TABLE = pl.DataFrame({"label": ["Belém", None], "rmse": [-0.5, 1.5], "recent": [[1.0], [2.0]]})


def test_a_csv_has_its_numbers_and_no_lists():
    response = download(TABLE, "csv", "rents", "2019-10", "../over view")
    assert response.body.decode() == "label,rmse\nBelém,-0.5\n,1.5\n"
    assert response.headers["content-disposition"] == 'attachment; filename="rents-2019-10-.._over_view.csv"'


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1"]
)
def test_a_formula_is_text(text: str):
    response = download(pl.DataFrame({"label": [text, "plain"]}), "csv", "rents")
    assert pl.read_csv(io.BytesIO(response.body))["label"].to_list() == [f"'{text}", "plain"]


def test_a_formula_as_a_name_of_a_column_is_text():
    response = download(pl.DataFrame({"=1+1": ["a"], "b": ["c"]}), "csv", "rents")
    assert pl.read_csv(io.BytesIO(response.body)).columns == ["'=1+1", "b"]


def test_columns_that_would_share_a_name_have_two():
    table = pl.DataFrame({"=a": ["x"], "'=a": ["y"], "''=a": ["z"], "=b": ["u"]})
    assert download(table, "csv", "rents").body.decode() == "'''=a,'=a,''=a,'=b\nx,y,z,u\n"


def test_parquet_is_as_it_was_stored():
    assert pl.read_parquet(io.BytesIO(download(TABLE, "parquet", "rents").body)).equals(TABLE)
