"""Where a person's browser finds MLflow's pages."""

from __future__ import annotations

import pytest

from tracked_kedro import mlflow_pages


@pytest.mark.parametrize(
    ("public", "named", "tracking", "wanted"),
    [
        ("https://mlflow.example/", None, "http://mlflow:5000", "https://mlflow.example"),
        ("https://mlflow.example/", "http://mlflow:5000", None, "https://mlflow.example"),
        (None, None, "http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        (None, "http://127.0.0.1:5001/", "http://127.0.0.1:5000", "http://127.0.0.1:5001"),
        # The runs are in that database, not at the server of the variable.
        (None, "sqlite:///mlflow.db", "http://127.0.0.1:5000", None),
        (None, None, "sqlite:///mlflow.db", None),
        (None, None, None, None),
        ("javascript:alert(1)", None, "sqlite:///mlflow.db", None),
    ],
)
def test_address(
    monkeypatch: pytest.MonkeyPatch, public: str | None, named: str | None, tracking: str | None, wanted: str | None
):
    for name, value in {mlflow_pages.ADDRESS_VARIABLE: public, "MLFLOW_TRACKING_URI": tracking}.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert mlflow_pages.address(named) == wanted


def test_what_is_searched_for_is_quoted():
    address = mlflow_pages.search("http://m", "1", "attributes.run_id IN ('a', 'b')")
    assert "searchFilter=attributes.run_id%20IN%20%28%27a%27%2C%20%27b%27%29" in address
