"""The shipped compose file, run for real: from `make secrets` to `make down` and up again.

The tests build on each other, in this order; the first that fails makes those after it meaningless.
"""

import base64
import datetime as dt
import itertools
import json
import re
import subprocess
import tarfile
import time
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from deployment import Airflow, call, status
from small_run import small_run

AIRFLOW, MLFLOW, CONSOLE = "http://127.0.0.1:8080", "http://127.0.0.1:5050", "http://127.0.0.1:9001"
SERVING = "http://127.0.0.1:5001"
MODEL = "mlflow/registered-models"
RUN = small_run()
RUNS = f"dags/{RUN.dag}/dagRuns"
pytestmark = pytest.mark.usefixtures("deployment")
keeps_a_model = pytest.mark.skipif(RUN.model is None, reason=f"the pipeline {RUN.dag} keeps no model")


@pytest.fixture(scope="module")
def mlflow(deployment):
    token = base64.b64encode(f"admin:{deployment.secret('mlflow_admin_password')}".encode()).decode()
    return lambda method, path, body=None: call(
        method, f"{MLFLOW}/api/2.0/{path}", body, {"Authorization": f"Basic {token}"}
    )


@pytest.fixture(scope="module")
def found():
    """What one test finds and a later one looks for again."""
    return {}


def test_without_secrets_nothing_starts(deployment):
    refused = deployment.command("make", "up")
    assert refused.returncode != 0
    assert ".env is missing: cp .env.example .env && make secrets" in refused.stderr

    deployment.checked("cp", ".env.example", ".env")
    deployment.checked("sed", "-i", f"s/^SERVING_MODEL=$/SERVING_MODEL={RUN.model or ''}/", ".env")
    # The DAG runs of these tests have no station files.
    deployment.checked("sed", "-i", "s/^ALLOW_SIMULATED=0$/ALLOW_SIMULATED=1/", ".env")
    refused = deployment.command("make", "up")
    assert refused.returncode != 0
    assert "secrets/airflow_admin_password is missing: make secrets" in refused.stderr


def test_secrets_are_made_once(deployment):
    deployment.checked("make", "secrets")
    first = deployment.secret_values()
    assert len(set(first.values())) == len(first)
    assert {(deployment.folder / "secrets" / name).stat().st_mode & 0o777 for name in first} == {0o600}

    assert "nothing was overwritten" in deployment.checked("make", "secrets")
    assert deployment.secret_values() == first


@pytest.mark.parametrize(("value", "problem"), [("", "is empty"), ("minioadmin", "is a default")])
def test_a_default_or_empty_secret_refuses_to_start(deployment, value, problem):
    file = deployment.folder / "secrets" / "object_store_root_password"
    kept = file.read_text()
    file.write_text(value)
    try:
        refused = deployment.command("make", "up")
    finally:
        file.write_text(kept)
    assert refused.returncode != 0
    assert f"secrets/object_store_root_password {problem}" in refused.stderr


def test_the_shipped_file_is_valid(deployment):
    deployment.compose("config", "--quiet")
    everything = deployment.compose("--profile", "*", "config", "--services").split()
    assert {"redis", "airflow-worker", "kedro", "rustfs"} <= set(everything)


def test_up(deployment):
    deployment.checked("docker", "compose", "build", "--quiet", step="images of ours")
    output = deployment.checked("make", "up", step="make up, images built")
    for address in (AIRFLOW, MLFLOW, CONSOLE):
        assert address in output
    now = dt.datetime.now(dt.UTC)
    for state in _containers(deployment):
        begin = dt.datetime.fromisoformat(state["State"]["StartedAt"][:26].rstrip("Z") + "+00:00")
        if health := state["State"].get("Health"):
            passed = [entry["End"] for entry in health["Log"] if entry["ExitCode"] == 0]
            end = min((dt.datetime.fromisoformat(text[:26] + "+00:00") for text in passed), default=now)
        else:
            end = dt.datetime.fromisoformat(state["State"]["FinishedAt"][:26].rstrip("Z") + "+00:00")
        what = "healthy after" if health else "done after"
        deployment.notes.append(f"{_service(state):24} {what:13} {(end - begin).total_seconds():5.0f} s")


def test_no_service_is_root_or_may_become_it(deployment):
    for state in _containers(deployment):
        assert state["Config"]["User"] == f"{deployment.user}:0", _service(state)
        assert state["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"], _service(state)
        assert state["HostConfig"]["Memory"] > 0, _service(state)
        assert state["HostConfig"]["PidsLimit"] > 0, _service(state)
        assert state["HostConfig"]["ReadonlyRootfs"], _service(state)
        bound = [port["HostIp"] for ports in (state["HostConfig"]["PortBindings"] or {}).values() for port in ports]
        assert set(bound) <= {"127.0.0.1"}, _service(state)


def test_a_dag_run_through_the_api(deployment, mlflow, found):
    airflow = Airflow.login(AIRFLOW, deployment.secret("airflow_admin_password"))
    run = airflow.api("POST", RUNS, {"logical_date": None, "conf": RUN.conf})["dag_run_id"]
    begin = time.monotonic()
    _let_run_alone(airflow, run)
    place = f"{RUNS}/{quote(run)}"
    while (state := airflow.api("GET", place)["state"]) in ("queued", "running"):
        assert time.monotonic() - begin < 900, _task_states(airflow, place)
        time.sleep(2)
    deployment.took[f"DAG run of {RUN.dag}"] = time.monotonic() - begin
    assert state == "success", _task_states(airflow, place)

    parent = airflow.api("GET", f"{place}/taskInstances/open_run/xcomEntries/return_value")["value"]
    known = mlflow("GET", f"mlflow/runs/get?run_id={parent}")["run"]
    tags = {tag["key"]: tag["value"] for tag in known["data"]["tags"]}
    assert tags["airflow.dag_run_id"] == run
    query = {"experiment_ids": [known["info"]["experiment_id"]], "filter": f"tags.`mlflow.parentRunId` = '{parent}'"}
    children = mlflow("POST", "mlflow/runs/search", query).get("runs", [])
    assert [child["info"]["status"] for child in children] == ["FINISHED"] * RUN.children
    found.update(run=run, parent=parent, hashes=_artifact_hashes(deployment, parent))
    assert found["hashes"]
    # The log of a task comes back from S3, where it outlives the container.
    log = airflow.api("GET", f"{place}/taskInstances/open_run/logs/1")
    assert parent in json.dumps(log)
    assert "s3://retraining/task-logs" in json.dumps(log)
    deployment.notes.extend(_memory(deployment))


@keeps_a_model
def test_the_champion_answers_over_http(deployment, mlflow):
    model = mlflow("GET", f"{MODEL}/get?name={RUN.model}")["registered_model"]
    assert "champion" in {alias["alias"] for alias in model["aliases"]}
    begin = time.monotonic()
    deployment.compose("--profile", "serving", "up", "--detach", "--wait", "--no-deps", "serving")
    # Well, for its health check, is also who still loads the champion.
    while (answer := status("GET", f"{SERVING}/ping")) == 503:
        assert time.monotonic() - begin < 300
        time.sleep(1)
    assert answer == 200
    deployment.took["champion served"] = time.monotonic() - begin
    rows = call("POST", f"{SERVING}/invocations", {"inputs": RUN.inputs})["predictions"]
    assert len(rows) == RUN.answers
    assert all(row[low] < row[high] for row in rows for low, high in itertools.pairwise(RUN.rising))
    reach = (
        "import socket\n"
        "doors = {'mlflow': 5000, 'postgres': 5432, 'object-store': 9000, 'airflow-apiserver': 8080}\n"
        "for name, port in doors.items():\n"
        "    try: socket.create_connection((name, port), 5).close()\n"
        "    except OSError: pass\n"
        "    else: print(name)\n"
    )
    assert deployment.compose("exec", "-T", "serving", "python", "-c", reach).split() == ["mlflow"]
    deployment.compose("--profile", "serving", "rm", "--stop", "--force", "serving")


def test_wrong_password_and_forged_host_are_refused(deployment):
    wrong = {"username": "admin", "password": "not-the-password"}
    assert status("POST", f"{AIRFLOW}/auth/token", wrong) == 401
    assert status("GET", f"{AIRFLOW}/api/v2/dags") == 401
    token = base64.b64encode(b"admin:not-the-password").decode()
    search = f"{MLFLOW}/api/2.0/mlflow/experiments/search?max_results=1"
    assert status("GET", search) == 401
    assert status("GET", search, headers={"Authorization": f"Basic {token}"}) == 401
    right = base64.b64encode(f"admin:{deployment.secret('mlflow_admin_password')}".encode()).decode()
    assert status("GET", search, headers={"Authorization": f"Basic {right}"}) == 200
    forged = {"Authorization": f"Basic {right}", "Host": "attacker.example"}
    assert status("GET", search, headers=forged) == 403


def test_the_tasks_key_does_not_reach_artifacts(deployment):
    look = (
        "import boto3, botocore.exceptions as e; s3 = boto3.client('s3')\n"
        "s3.list_objects_v2(Bucket='retraining')\n"
        "ask = {'list_objects_v2': {}, 'put_object': {'Key': 'x', 'Body': b''}}\n"
        "for name, options in ask.items():\n"
        "    try: getattr(s3, name)(Bucket='mlflow', **options)\n"
        "    except e.ClientError as error: print(error.response['ResponseMetadata']['HTTPStatusCode'])\n"
        "    else: print('let in')\n"
    )
    output = deployment.compose("exec", "-T", "airflow-scheduler", "python", "-c", look)
    assert output.split() == ["403", "403"]


def test_no_secret_shows(deployment):
    shown = json.dumps(_containers(deployment)) + deployment.compose("config")
    logs = deployment.compose("logs", "--no-color")
    airflow = Airflow.login(AIRFLOW, deployment.secret("airflow_admin_password"))
    shown += _answer(airflow, "config")
    # Everything in the data bucket, task logs among it, as the store keeps it; and what Airflow keeps of tasks.
    volume = deployment.command("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", "retraining_minio")
    tables = deployment.compose(
        "exec", "-T", "postgres", "pg_dump", "-U", "postgres", "-d", "airflow",
        "--table=xcom", "--table=rendered_task_instance_fields", "--table=log", "--table=dag_run",
    )  # fmt: skip
    for name, value in deployment.secret_values().items():
        assert value not in shown, f"{name} in docker inspect, docker compose config or Airflow's configuration"
        assert value not in logs, f"{name} in a service's log"
        assert value not in tables, f"{name} in XCom, rendered templates or the audit log"
        hits = _grep(volume.stdout.strip() + "/buckets", value)
        assert not hits, f"{name} in {hits}"


def test_a_one_shot_run_without_airflow(deployment, mlflow):
    deployment.checked(
        "docker", "compose", "run", "--rm", "kedro",
        "--pipelines", RUN.part, step="docker compose run kedro",
    )  # fmt: skip


def test_a_backup_beside_the_working_stack_holds_no_secret(deployment, found):
    output = deployment.checked("make", "backup", "FILE=kept.tar", step="make backup")
    file = deployment.folder / "kept.tar"
    assert f"make restore FILE={file}" in output
    state = file.stat()
    assert (state.st_mode & 0o777, state.st_uid) == (0o600, deployment.user)
    deployment.notes.append(f"backup of the stack: {state.st_size / 1e6:.1f} MB")
    content = file.read_bytes()
    assert [name for name, value in deployment.secret_values().items() if value.encode() in content] == []
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert {"databases/airflow", "databases/mlflow"} < set(names)
    assert [name for name in names if name.startswith("artifacts/") and found["parent"] in name]
    assert [name for name in names if name.startswith("data/task-logs/")]


def test_down_and_up_lose_nothing(deployment, mlflow, found):
    deployment.checked("make", "down", step="make down")
    assert not deployment.compose("ps", "--all", "--quiet").strip()
    # Volumes that hold something are not replaced by mistake.
    refused = deployment.command("make", "restore", "FILE=kept.tar")
    assert refused.returncode != 0
    assert "The stack is not empty" in refused.stdout
    assert "FORCE=1 replaces all of it" in refused.stdout
    deployment.checked("make", "up", step="make up again")
    airflow = Airflow.login(AIRFLOW, deployment.secret("airflow_admin_password"))
    assert airflow.api("GET", f"{RUNS}/{quote(found['run'])}")["state"] == "success"
    assert mlflow("GET", f"mlflow/runs/get?run_id={found['parent']}")["run"]["info"]["status"] == "FINISHED"
    assert _artifact_hashes(deployment, found["parent"]) == found["hashes"]


def test_prune_counts_first_and_removes_when_asked(deployment, mlflow, found):
    # One more run of the DAG run, of long ago, goes with KEEP=1; somebody else's with the same tags stays.
    make = (
        "import sys\n"
        "from mlflow.tracking import MlflowClient\n"
        "client = MlflowClient()\n"
        "parent = client.get_run(sys.argv[1])\n"
        "tags = {name: text for name, text in parent.data.tags.items() if name.startswith('airflow.')}\n"
        "for place in (parent.info.experiment_id, client.create_experiment('somebody_elses')):\n"
        "    run = client.create_run(place, start_time=1, tags=tags).info.run_id\n"
        "    client.log_text(run, 'x' * 1000, 'report.txt')\n"
        "    client.set_terminated(run)\n"
        "    print(run)\n"
    )
    output = deployment.compose("exec", "-T", "airflow-scheduler", "python", "-c", make, found["parent"]).split()
    older, foreign = [word for word in output if re.fullmatch("[0-9a-f]{32}", word)][-2:]

    counted = deployment.checked("make", "prune", "KEEP=1", step="make prune, counting")
    assert "A dry run: nothing was removed. make prune KEEP=1 APPLY=1 removes it." in counted
    assert f"({older}): DAG run {found['run']} of {RUN.dag}, older than the newest 1" in counted
    assert mlflow("GET", f"mlflow/runs/get?run_id={older}")["run"]["info"]["lifecycle_stage"] == "active"
    kept = _artifact_hashes(deployment, found["parent"])

    removed = deployment.checked("make", "prune", "KEEP=1", "APPLY=1", step="make prune, removing")
    assert re.search(r"Removed; [1-9][\d,]{3,} bytes", removed)
    with pytest.raises(HTTPError, match="404"):
        mlflow("GET", f"mlflow/runs/get?run_id={older}")
    airflow = Airflow.login(AIRFLOW, deployment.secret("airflow_admin_password"))
    assert airflow.api("GET", f"{RUNS}/{quote(found['run'])}")["state"] == "success"
    for run in (foreign, found["parent"]):
        assert mlflow("GET", f"mlflow/runs/get?run_id={run}")["run"]["info"]["lifecycle_stage"] == "active"
    assert _artifact_hashes(deployment, found["parent"]) == kept


@pytest.mark.full
def test_upgrade_saves_migrates_and_the_printed_way_back_leads_back(deployment, mlflow, found):
    models = mlflow("GET", f"{MODEL}/search")
    aliases = [
        (model["name"], alias["alias"])
        for model in models.get("registered_models", [])
        for alias in model.get("aliases", [])
    ]
    assert aliases or RUN.model is None
    output = deployment.checked("make", "upgrade", step="make upgrade, backup included")
    assert "no run is missing" in output
    run = mlflow("GET", f"mlflow/runs/get?run_id={found['parent']}")["run"]
    assert run["info"]["status"] == "FINISHED"

    # What happens afterwards is what the way back takes back: an alias, an artifact, a tag.
    for name, alias in aliases:
        mlflow("DELETE", f"{MODEL}/alias", {"name": name, "alias": alias})
    artifacts = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    mlflow("DELETE", f"mlflow-artifacts/artifacts/{artifacts}/{quote(sorted(found['hashes'])[0])}")
    mlflow("POST", "mlflow/runs/set-tag", {"run_id": found["parent"], "key": "since", "value": "the upgrade"})
    assert _artifact_hashes(deployment, found["parent"]) != found["hashes"]

    way_back = output.partition("To go back")[2].splitlines()
    down, checkout, restore, up = [line.split() for line in way_back if line.startswith("    ")]
    assert checkout[:2] == ["git", "checkout"]
    refused = deployment.command(*restore)
    assert refused.returncode != 0
    assert "stop it first: make down" in refused.stderr
    deployment.checked(*down)
    deployment.checked(*restore, step="make restore")
    deployment.checked(*up)
    assert mlflow("GET", f"{MODEL}/search") == models
    assert mlflow("GET", f"mlflow/runs/get?run_id={found['parent']}")["run"] == run
    assert _artifact_hashes(deployment, found["parent"]) == found["hashes"]
    airflow = Airflow.login(AIRFLOW, deployment.secret("airflow_admin_password"))
    assert airflow.api("GET", f"{RUNS}/{quote(found['run'])}")["state"] == "success"


def test_doctor_finds_nothing_wrong(deployment):
    output = deployment.checked("make", "doctor", step="make doctor")
    for subject in ("engine", "secrets", "services", "ports", "clocks", "versions", "disk"):
        assert f"ok       {subject}" in output, output


def _let_run_alone(airflow, run):
    """Unpause, and stop the run that the schedule starts at once: all series, and an audit of some minutes."""
    airflow.api("PATCH", f"dags/{RUN.dag}", {"is_paused": False})
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        others = [one for one in airflow.api("GET", RUNS)["dag_runs"] if one["dag_run_id"] != run]
        if others:
            airflow.api("PATCH", f"{RUNS}/{quote(others[0]['dag_run_id'])}", {"state": "failed"})
            return
        time.sleep(0.5)


def _task_states(airflow, place):
    tasks = airflow.api("GET", f"{place}/taskInstances")["task_instances"]
    return [(task["task_id"], task["map_index"], task["state"]) for task in tasks]


def _artifact_hashes(deployment, run):
    """SHA-256 of every artifact of a run, downloaded through the tracking server as a task would."""
    code = (
        "import hashlib, json, mlflow, pathlib, sys, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    place = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=sys.argv[1], dst_path=folder))\n"
        "    files = sorted(path for path in place.rglob('*') if path.is_file())\n"
        "    digest = lambda file: hashlib.sha256(file.read_bytes()).hexdigest()\n"
        "    print(json.dumps({str(file.relative_to(place)): digest(file) for file in files}))\n"
    )
    output = deployment.compose("exec", "-T", "airflow-scheduler", "python", "-c", code, run)
    return json.loads(output.strip().splitlines()[-1])


def _containers(deployment):
    ids = deployment.compose("ps", "--all", "--quiet").split()
    return json.loads(deployment.checked("docker", "inspect", *ids))


def _service(state):
    return state["Config"]["Labels"]["com.docker.compose.service"]


def _memory(deployment):
    lines = deployment.checked(
        "docker", "stats", "--no-stream", "--format", "{{.Name}}|{{.MemUsage}}|{{.MemPerc}}"
    ).splitlines()
    rows = sorted(line.split("|") for line in lines)
    return [
        f"{name.removeprefix('retraining-').removesuffix('-1'):24} memory {used} ({part})" for name, used, part in rows
    ]


def _grep(folder, value):
    found = subprocess.run(["grep", "-rlF", "--", value, folder], capture_output=True, text=True)
    return found.stdout.split()


def _answer(airflow, path):
    """What Airflow answers, whatever its status."""
    try:
        return json.dumps(airflow.api("GET", path))
    except HTTPError as error:
        return error.read().decode()
