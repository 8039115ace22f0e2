"""Values from outside are literals and hold no credential."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fixtures.sources import CANARY
from tracked_kedro.kedro_side import locations
from tracked_kedro.kedro_side.config_loader import ConfigLoader
from tracked_kedro.kedro_side.plain_values import PLAIN, NotLiteralError, fault
from tracked_kedro.kedro_side.sources.opening import source
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError

WITH_SECRETS = [
    f"http://user:{CANARY}@host/x",
    f"http://{CANARY}@host/x",
    f"http://user:p@{CANARY}@host/x",
    f"http://user:{CANARY}/p@host/x",
    f"http:////user:{CANARY}@host/x",
    f"http://user%3A{CANARY}%40host/x",
    f"http://host\\{CANARY}@other/x",
    f"s3://key:{CANARY}@bucket/x",
    f"simplecache::http://user:{CANARY}@host/x",
    f"zip://a.csv::s3://key:{CANARY}@bucket/a.zip",
    f"https://account.blob.core.windows.net/c/x.csv?sv=2024&sig={CANARY}",
    f"https://bucket.s3.amazonaws.com/x?X-Amz-Signature={CANARY}",
    f"https://bucket.s3.amazonaws.com/x?X-Amz-Credential={CANARY}&X-Amz-Expires=60",
    f"https://storage.googleapis.com/b/x?X-Goog-Signature={CANARY}",
    f"https://host/x?token={CANARY}",
    f"https://host/x?a=1&access_TOKEN={CANARY}",
    f"https://host/x?a=1;apiKey={CANARY}",
    f"https://host/x#access_token={CANARY}",
    f"https://host/x?to%6ben={CANARY}",
    f"https://host/x?password={CANARY}",
    f"see https://user:{CANARY}@host for more",
]
PLAIN_ONES = [
    "",
    "belem, rio",
    "/data/stations",
    "../shared/data/stations",
    "s3://bucket/2024/{file}",
    "https://host:8443/stations/{file}?year=2019&format=csv",
    "http://[2001:db8::1]:80/x",
    "file:///data/stations",
    "https://host/@latest/x.csv",
    "see https://host/wiki, please",
    "me@example.org",
    "$5 {each}",
    "2024-01-01",
]


@pytest.mark.parametrize("value", WITH_SECRETS)
def test_a_credential_in_an_address_is_refused_by_name_at_every_entry(value: str, tmp_path: Path, var: Path) -> None:
    """By Airflow before it stores it; by the loader, which form, REST, make and --params share; by the reader."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, {"type": ["null", "string"], "pattern": PLAIN})
    (tmp_path / "conf" / "base").mkdir(parents=True)
    for parameters in ({"rents": {"file": value}}, {"rents": {"deep": [value]}}, {"run_key": value}):
        with pytest.raises(NotLiteralError, match=r"(rents|run_key).*credentials\.yml") as refused:
            ConfigLoader(str(tmp_path / "conf"), base_env="base", runtime_params=parameters)
        assert CANARY not in str(refused.value)
    with pytest.raises(SourceRefusedError) as not_read:
        source(value)
    assert CANARY not in str(not_read.value)


@pytest.mark.parametrize("value", PLAIN_ONES)
def test_other_values_are_taken_as_they_are(value: str) -> None:
    assert fault(value) is None
    jsonschema.validate(value, {"type": "string", "pattern": PLAIN})


@given(st.text("a:/@?=&#%${} sigtoken.\n\\[]", max_size=30))
@example("${")
@example("a\n${x}")
def test_airflow_s_pattern_and_the_loader_say_the_same(value: str) -> None:
    assert (fault(value) is None) == (re.search(PLAIN, value) is not None)


@given(st.text(st.characters(exclude_characters="/?#\\", exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_user_or_password_of_any_letters_is_found(secret: str) -> None:
    for value in (f"http://{secret}@host/x", f"s3://key:{secret}@bucket"):
        if not re.search(r"\s", secret):
            assert fault(value) is not None


@pytest.mark.parametrize("key", ["../other", "..", "a/b", "/etc"])
def test_a_run_s_folder_stays_among_those_of_the_runs(key: str, var: Path) -> None:
    with pytest.raises(ValueError, match="run_key"):
        locations.run_folder("rents", key)
    assert json.dumps(locations.run_folder("rents", "manual__2024-01-01")) == f'"{var}/data/rents/manual__2024-01-01"'
