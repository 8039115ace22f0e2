"""What a DAG run may be asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tracked_kedro.dag.opening import refuse_unknown_parameters
from tracked_kedro.errors import PermanentError


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"promotion": "never"}, "'promotion': it is called promotion_mode since 0.3.0"),
        ({"sead": 1}, r"\['sead'\]; this DAG takes \['promotion_mode', 'seed'\]"),
    ],
)
def test_what_the_dag_does_not_take_is_named(asked: dict[str, object], words: str):
    dag = SimpleNamespace(params={"seed": 1, "promotion_mode": "auto"})
    with pytest.raises(PermanentError, match=words):
        refuse_unknown_parameters({"dag": dag, "dag_run": SimpleNamespace(conf=asked)})
