"""Who holds which secret, and who reaches whom: the tables of docs/operations.md against what is shipped."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from operations.compose.secrets import FILES
from operations.native import secret_settings
from operations.native.airflow import Airflow
from operations.native.errors import MissingPartError
from operations.native.mlflow_server import Mlflow
from operations.native.object_store import ObjectStore
from operations.native.postgres import Postgres
from operations.native.redis import Redis
from operations.native.secrets import Secrets

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "operations.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES = COMPOSE["services"]
CHART = yaml.safe_load((ROOT / "deploy" / "helm" / "values.yaml").read_text())
# A secret of the native stack, under the name that the containers have for it; these are the same thing in both.
NATIVE = {
    "postgres_superuser": "postgres_password",
    "postgres_mlflow": "mlflow_database_password",
    "postgres_airflow": "airflow_database_password",
    "artifacts_key": "artifact_store_credentials",
    "artifacts_secret": "artifact_store_credentials",
    "data_key": "data_store_credentials",
    "data_secret": "data_store_credentials",
    "mlflow_admin": "mlflow_admin_password",
    "mlflow_flask": "mlflow_flask_secret",
    "airflow_admin": "airflow_admin_password",
    "airflow_api": "airflow_api_secret_key",
    "airflow_jwt": "airflow_jwt_secret",
    "airflow_fernet": "airflow_fernet_key",
    "redis": "redis_password",
    "backup_signing": "backup_signing_key",
    "model_signing": "model_signing_key",
}
# What the chart gives to each of Airflow's services by itself, and where our values name the Kubernetes secret.
BY_THE_CHART = {
    "airflow_database_password": CHART["data"]["metadataSecretName"],
    "airflow_fernet_key": CHART["fernetKeySecretName"],
    "airflow_api_secret_key": CHART["apiSecretKeySecretName"],
    "airflow_jwt_secret": CHART["jwtSecretName"],
}
# Clients look at these when they are asked to do something with them, not when they start.
FILES_OF_CLIENTS = {"data_store_credentials", "model_signing_key"}
CHART_SERVICES = ("apiServer", "scheduler", "dagProcessor", "triggerer")
MOUNTED = {
    "retraining-data-store": "data_store_credentials",
    "retraining-mlflow": "mlflow_client_credentials",
    "retraining-signing": "model_signing_key",
}


def table(first_heading: str) -> dict[str, list[set[str]]]:
    """Rows of a table of the docs by their first cell: of each further cell, the words that stand in it."""
    found = re.search(rf"^\| {first_heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", DOCS, re.MULTILINE)
    assert found is not None
    rows = [line.strip("|").split("|") for line in found[1].splitlines()]
    return {row[0].strip(" `"): [set(re.findall(r"[\w-]+", cell)) for cell in row[1:]] for row in rows}


def named(secret: object) -> str:
    return secret["source"] if isinstance(secret, dict) else str(secret)


SECRETS = table("secret")


def test_every_secret_has_a_row():
    assert set(SECRETS) == set(FILES) == set(COMPOSE["secrets"])
    assert set(NATIVE) == set(Secrets.__dataclass_fields__)


@pytest.mark.parametrize("secret", FILES)
def test_containers_hold_what_the_table_says(secret):
    holders = {name for name, service in SERVICES.items() if secret in map(named, service.get("secrets", []))}
    assert holders == SECRETS[secret][1]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_names_no_secret_that_it_does_not_hold(name):
    """Airflow stops where a command of a setting fails; and a name without its file would hide a mistake."""
    service = SERVICES[name]
    held = set(map(named, service.get("secrets", [])))
    told = [service.get("environment", {}), service.get("command"), service["healthcheck"].get("test")]
    assert set(re.findall(r"/run/secrets/([a-z_]+)", str(told))) - FILES_OF_CLIENTS <= held
    settings = {one for one in service.get("environment", {}) if one.endswith("_CMD")}
    if not name.startswith("airflow-"):
        assert not settings


def test_a_task_in_a_worker_and_a_manual_run_know_no_key_of_airflows():
    for name in ("airflow-worker", "kedro", "serving"):
        held = set(map(named, SERVICES[name]["secrets"]))
        assert not {secret for secret in held if secret.startswith("airflow_")}, name
        assert "database" not in SERVICES[name]["networks"]
    assert set(map(named, SERVICES["serving"]["secrets"])) == {
        "mlflow_client_credentials",
        "model_signing_key",
        "serving_token",
    }


def test_pods_of_the_chart_hold_what_the_table_says():
    assert not CHART.get("volumes")
    assert not CHART.get("volumeMounts")
    holders = {name: set(CHART_SERVICES) if BY_THE_CHART.get(name) else set() for name in FILES}
    pods = {name: CHART.get(name, {}).get("extraVolumes", []) for name in CHART_SERVICES}
    task = yaml.safe_load(CHART["podTemplate"])["spec"]
    pods["task"] = task["volumes"]
    for pod, volumes in pods.items():
        for volume in volumes:
            if "secret" in volume:
                holders[MOUNTED[volume["secret"]["secretName"]]].add(pod)
    assert holders == {name: row[2] for name, row in SECRETS.items()}
    # What a pod of a task has beside its volumes: plain values, nothing from a Kubernetes secret.
    (container,) = task["containers"]
    assert "envFrom" not in container
    assert not [one["name"] for one in container["env"] if "value" not in one]


def native_processes(folder: Path) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """Name, environment and command of each process of the native stack, none of which is started."""
    known = Secrets.of(folder)
    postgres = Postgres(folder / "postgres", known)
    artifacts = ObjectStore(folder / "artifacts", "mlflow", known.artifacts_key, known.artifacts_secret)
    data = ObjectStore(folder / "data", "data", known.data_key, known.data_secret)
    mlflow = Mlflow(folder / "mlflow", known, postgres, artifacts)
    redis = Redis(folder / "redis", known)
    airflow = Airflow(folder / "airflow", known, postgres, data, mlflow, redis=redis)
    for name, store in {"artifacts": artifacts, "data": data}.items():
        yield name, store.environment(), store.command()
    yield "mlflow", mlflow.environment(), mlflow.command()
    yield "redis", {}, redis.command()
    for name, command in airflow.commands().items():
        yield name, airflow.environment({}, name), command
    command, environment = airflow.worker("worker-1", {})
    yield "worker", environment, command


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    try:
        return folder, list(native_processes(folder))
    except MissingPartError as error:
        pytest.skip(f"needs the programs of the native stack: {error}")


def test_native_processes_hold_what_the_table_says(native):
    folder, processes = native
    values = Secrets.of(folder).values()
    holders = {name: set() for name in FILES}
    for name, environment, command in processes:
        text = "\n".join([*environment.values(), *command])
        # A file that it is told of is as good as the value.
        words = [word for value in [*environment.values(), *command] for word in shlex.split(value.replace('"', ""))]
        text += "\n".join(
            Path(word).read_text() for word in words if word.startswith(str(folder)) and Path(word).is_file()
        )
        for secret, value in values.items():
            if value in text:
                holders[NATIVE[secret]].add(name)
    assert holders == {name: row[3] for name, row in SECRETS.items()}


def test_what_a_task_could_read_of_its_own_environment_is_mlflows_password_alone(native):
    folder, processes = native
    values = Secrets.of(folder).values()
    for name, environment, command in processes:
        shown = "\n".join(environment.values())
        if name in secret_settings.USES:
            assert {secret for secret, value in values.items() if value in shown} <= {"mlflow_admin"}, name
        assert not [secret for secret, value in values.items() if value in "\n".join(command)], name


def test_files_of_secrets_are_their_owners_alone(native):
    folder, _ = native
    place = folder / "airflow-secrets"
    assert place.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in place.iterdir()} == {0o600}
    assert {file.stat().st_uid for file in place.iterdir()} == {os.geteuid()}


NETWORKS = table("network")


def test_networks_hold_what_the_table_says():
    found = {network: set() for network in COMPOSE["networks"]}
    for name, service in SERVICES.items():
        for network in service["networks"]:
            found[network].add(name)
    assert found == {network: row[0] for network, row in NETWORKS.items()}
    outwards = {network for network, row in NETWORKS.items() if "yes" in row[1]}
    for network, settings in COMPOSE["networks"].items():
        closed = settings and (settings.get("internal") or "enable_ip_masquerade" in str(settings["driver_opts"]))
        assert bool(closed) == (network not in outwards), network
    assert NETWORKS["serving"][0] == {"mlflow", "serving"}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.get("ports")])
def test_a_published_port_has_one_network_that_is_not_internal(name):
    """The engine publishes through the one with a way out; of several it would choose by name."""
    ways = [
        network for network in SERVICES[name]["networks"] if not (COMPOSE["networks"][network] or {}).get("internal")
    ]
    assert len(ways) == 1


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_shares_a_network_with_what_it_waits_for(name):
    waited = set(SERVICES[name].get("depends_on", {})) - {"create-buckets", "airflow-init"}
    strangers = {other for other in waited if not set(SERVICES[name]["networks"]) & set(SERVICES[other]["networks"])}
    # It waits for MLflow to be there for the tasks of others, and asks it nothing itself; or for the database.
    allowed = {"airflow-dag-processor": {"mlflow"}, "airflow-triggerer": {"mlflow"}, "airflow-worker": {"postgres"}}
    assert strangers <= allowed.get(name, set())
