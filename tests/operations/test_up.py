import pytest

from operations.compose.up import contradictions

GOOD = {"OBJECT_STORE": "minio", "COMPOSE_PROFILES": "minio", "AIRFLOW_EXECUTOR": "LocalExecutor"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"OBJECT_STORE": "rustfs", "COMPOSE_PROFILES": "rustfs"},
        {"COMPOSE_PROFILES": "minio,celery", "AIRFLOW_EXECUTOR": "CeleryExecutor"},
        {"COMPOSE_PROFILES": "minio,serving", "SERVING_MODEL": "rents"},
    ],
)
def test_settings_that_go_together(change):
    assert contradictions({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"OBJECT_STORE": "ceph"}, "OBJECT_STORE=ceph: choose minio or rustfs"),
        ({"COMPOSE_PROFILES": "celery", "AIRFLOW_EXECUTOR": "CeleryExecutor"}, "it must name minio alone"),
        ({"COMPOSE_PROFILES": "minio,rustfs"}, "it must name minio alone"),
        ({"AIRFLOW_EXECUTOR": "CeleryExecutor"}, "set both or neither"),
        ({"COMPOSE_PROFILES": "minio,celery"}, "set both or neither"),
        ({"COMPOSE_PROFILES": "minio,serving"}, "SERVING_MODEL is empty: name the registered model"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change, message):
    (problem,) = contradictions({**GOOD, **change})
    assert message in problem
