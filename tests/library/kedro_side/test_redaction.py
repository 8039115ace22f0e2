"""What an error quotes and nobody may read: addresses' passwords, tokens, signatures, secrets of the environment."""

from __future__ import annotations

import pytest

from tracked_kedro.kedro_side.redaction import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no host in postgresql://me:p@ss@db:5432/runs", "no host in postgresql://***@db:5432/runs"),
        ("GET https://token@host/a.csv failed", "GET https://***@host/a.csv failed"),
        (
            "403 for https://bucket/a?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=beef&x=1",
            "403 for https://bucket/a?X-Amz-Credential=***&X-Amz-Signature=***&x=1",
        ),
        ("fe_sendauth: password='open sesame' host=db", "fe_sendauth: password=*** host=db"),
        ('{"api_key": "abc", "user": "me"}', '{"api_key": ***, "user": "me"}'),
        ("{'Authorization': 'Basic bWU6cHc='}", "{'Authorization': 'Basic ***'}"),
        ("header Bearer eyJhbGciOi.e30.x", "header Bearer ***"),
        ("login with 0p3n-s3same refused", "login with *** refused"),
        # Nothing of this is one.
        ("ValueError: month 13 of 2019 at s3://bucket/a.csv, line 3: 26.5", None),
        ("mail me@example.org about the password", None),
        ("KeyError: 'tokens'", None),
    ],
)
def test_only_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch, text: str, shown: str | None) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "0p3n-s3same")
    monkeypatch.setenv("SHORT_SECRET", "s3")
    assert without_secrets(text) == (text if shown is None else shown)
