"""Secrets of a stack: made once, strong, and refused where somebody made them weak."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from operations.native.errors import SecretsError
from operations.native.secrets import FILE, Secrets


def change(folder: Path, **values: object) -> None:
    known = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**known, **values}))


def test_they_are_made_once_all_different_and_for_their_owner_only(tmp_path: Path):
    first = Secrets.of(tmp_path)
    assert Secrets.of(tmp_path) == first
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert len(set(first.values().values())) == len(first.values())
    assert len(first.airflow_jwt.encode()) >= 64
    assert len(base64.urlsafe_b64decode(first.airflow_fernet)) == 32
    assert not [value for value in first.values().values() if value in repr(first)]


def test_a_folder_of_an_older_version_gets_what_it_lacks(tmp_path: Path):
    first = Secrets.of(tmp_path)
    known = first.values()
    known.pop("redis")
    (tmp_path / FILE).write_text(json.dumps(known))
    second = Secrets.of(tmp_path)
    assert second.redis
    assert second.values() | {"redis": ""} == first.values() | {"redis": ""}
    assert Secrets.of(tmp_path) == second


@pytest.mark.parametrize("weak", ["", "admin", "password1234", "x" * 23, "with spaces in it, long enough", None, 12])
def test_weak_ones_are_refused_by_name(tmp_path: Path, weak: object):
    Secrets.of(tmp_path)
    change(tmp_path, mlflow_admin=weak)
    with pytest.raises(SecretsError, match=r"'mlflow_admin' in .*secrets\.json is empty or weak"):
        Secrets.of(tmp_path)


def test_a_token_secret_of_half_the_length_is_refused(tmp_path: Path):
    Secrets.of(tmp_path)
    change(tmp_path, airflow_jwt="x" * 63)
    with pytest.raises(SecretsError, match="at least 64"):
        Secrets.of(tmp_path)


def test_a_file_that_is_no_json_is_kept(tmp_path: Path):
    (tmp_path / FILE).write_text("half of a fi")
    with pytest.raises(SecretsError, match="no JSON object"):
        Secrets.of(tmp_path)
    assert (tmp_path / FILE).read_text() == "half of a fi"
