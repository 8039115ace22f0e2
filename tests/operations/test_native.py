"""What `make native` refuses before it starts a part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.native import command as native
from operations.native.secrets import FILE, Secrets


def test_the_command_does_not_start_with_an_empty_secret(var: Path, capsys: pytest.CaptureFixture[str], handlers):
    (var / "native").mkdir()
    known = Secrets.of(var / "native").values()
    (var / "native" / FILE).write_text(json.dumps({**known, "airflow_admin": ""}))
    assert native.serve() == 1
    assert "'airflow_admin'" in capsys.readouterr().err
    assert not (var / "native" / "postgres").exists()
