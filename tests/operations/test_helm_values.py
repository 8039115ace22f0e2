"""The values for the official Airflow chart, held against Kubernetes' own models; no cluster is here to try them on."""

import json
import re
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient, models

from tracked_kedro.rendering.pods import problems

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "helm" / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
POD = yaml.safe_load(VALUES["podTemplate"])
# Services of the chart that get files beyond its own.
MOUNTING = ("apiServer", "triggerer")


class Answer:
    """What the client reads its objects from."""

    def __init__(self, value):
        self.data = json.dumps(value)


def test_the_pod_template_is_a_pod():
    assert list(problems(POD)) == []
    pod = ApiClient().deserialize(Answer(POD), "V1Pod")
    assert isinstance(pod, models.V1Pod)
    # Airflow replaces the container of this name, and starts no second one.
    assert [container.name for container in pod.spec.containers] == ["base"]
    assert pod.spec.restart_policy == "Never"


def test_a_task_is_no_root_and_has_a_limit():
    (container,) = POD["spec"]["containers"]
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"]["limits"]["memory"]


def test_every_mount_has_its_volume():
    (container,) = POD["spec"]["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in POD["spec"]["volumes"]}
    for service in MOUNTING:
        own = VALUES[service]
        assert {mount["name"] for mount in own["extraVolumeMounts"]} == {one["name"] for one in own["extraVolumes"]}


@pytest.mark.parametrize("service", MOUNTING)
def test_what_the_chart_passes_on_is_what_kubernetes_knows(service):
    own = VALUES[service]
    container = {"name": "any", "volumeMounts": own["extraVolumeMounts"], "env": VALUES["env"]}
    assert list(problems({"spec": {"containers": [container], "volumes": own["extraVolumes"]}})) == []


def test_no_secret_and_no_floating_version():
    assert not re.search(r"(?i)(password|secret|token|key): +\S*[0-9a-zA-Z+/=_-]{24,}", TEXT)
    assert "version 1.22.0" in TEXT
    assert "--version 1.22.0" in TEXT
    pinned = (ROOT / "docker" / "Dockerfile").read_text()
    assert f"FROM apache/airflow:{VALUES['airflowVersion']}-python3.11" in pinned


def test_tasks_run_with_the_settings_of_the_compose_stack():
    (container,) = POD["spec"]["containers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["x-airflow"]["environment"]
    defaults = dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", (ROOT / "defaults.env").read_text(), re.MULTILINE))
    for one in container["env"] + VALUES["env"]:
        name, value = one["name"], one["value"]
        if name in defaults:
            assert value == defaults[name], name
        elif (
            name in compose
            and name not in ("AWS_SHARED_CREDENTIALS_FILE", "MODEL_SIGNING_KEY_FILE")
            and "${" not in compose[name]
        ):
            assert value == compose[name], name
    ours = {name for name in compose if name.startswith(("MLFLOW_", "RETRAINING_"))}
    assert ours | {"ALLOWED_SOURCES"} <= {one["name"] for one in VALUES["env"]}
    assert "ALLOWED_SOURCES" in {one["name"] for one in container["env"]}
