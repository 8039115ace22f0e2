"""The stores of `make native`: Postgres, S3 and an authenticated MLflow server, as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace

import mlflow
import psutil
import psycopg2
import pytest
from botocore.exceptions import ClientError
from mlflow.tracking import MlflowClient

from operations.native.errors import MissingPartError
from operations.native.ports import free_port, listens
from operations.native.stack import Stores, started_stores
from tests.fixtures.stack import folder_for_postgres, stack_environment

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


def test_an_artifact_goes_through_the_server_to_the_object_store_and_back(stores: Stores, client: MlflowClient):
    run = client.create_run(client.create_experiment("through the proxy"))
    client.log_text(run.info.run_id, "26.5 °C", "report/summary.txt")
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report/summary.txt") == "26.5 °C"
    # The file lies in the bucket, and the client has none of its keys.
    objects = stores.artifacts.client().list_objects_v2(Bucket=stores.artifacts.bucket)["Contents"]
    assert any(item["Key"].endswith(f"{run.info.run_id}/artifacts/report/summary.txt") for item in objects)
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ


def test_a_wrong_password_is_refused(stores: Stores):
    request = urllib.request.Request(f"{stores.mlflow.address}/api/2.0/mlflow/experiments/search?max_results=1")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    request.add_header("Authorization", "Basic YWRtaW46cGFzc3dvcmQxMjM0")  # admin:password1234, MLflow's old default
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_a_request_under_another_hosts_name_is_refused(stores: Stores):
    request = urllib.request.Request(f"{stores.mlflow.address}/", headers={"Host": "mlflow.attacker.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=10)


def test_the_data_key_does_not_open_the_artifacts(stores: Stores):
    stranger = replace(stores.artifacts, key=stores.data.key, secret=stores.data.secret).client()
    for call in (stranger.list_objects_v2, stranger.head_bucket):
        with pytest.raises(ClientError, match=r"403|Forbidden|AccessDenied|InvalidAccessKeyId"):
            call(Bucket=stores.artifacts.bucket)


def test_each_role_has_its_own_database_only(stores: Stores):
    own = stores.postgres.url("mlflow").replace("+psycopg2", "")
    with psycopg2.connect(own) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False)
    connection.close()
    elsewhere = own.removesuffix("mlflow") + "airflow"
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(elsewhere)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host="127.0.0.1", port=stores.postgres.port, user="mlflow", password="no", dbname="mlflow")


def test_no_secret_is_on_a_command_line_in_a_log_or_readable_by_others(stores: Stores):
    values = stores.secrets.values().values()
    commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert len(commands) >= 3
    logs = [file.read_text(errors="replace") for file in stores.logs.iterdir()]
    for value in values:
        assert not any(value in text for text in [*commands, *logs, repr(stores)])
    for name in ("secrets.json", "mlflow/basic_auth.ini"):
        assert (stores.logs.parent / name).stat().st_mode & 0o777 == 0o600


def running(*words: str) -> list[str]:
    """Command lines of this process's descendants that have one of these words in them."""
    lines = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    return [line for line in lines if any(word in line for word in words)]


def test_stopped_no_process_is_left_and_started_again_everything_is_there(monkeypatch: pytest.MonkeyPatch):
    with folder_for_postgres() as folder:
        try:
            for turn in ("first", "second"):
                with started_stores(folder) as stores:
                    for name, value in stores.mlflow.client_environment().items():
                        monkeypatch.setenv(name, value)
                    client = MlflowClient(stores.mlflow.address)
                    if turn == "first":
                        client.create_experiment("kept")
                    assert client.get_experiment_by_name("kept") is not None
                    ours = (str(folder), str(stores.mlflow.port))
                    assert len(running(*ours)) >= 4
                assert running(*ours) == []
                assert not listens(stores.postgres.port)
        except MissingPartError as error:
            pytest.skip(f"needs real stores: {error}")
        # The second start finds roles and databases there, and Postgres logs what fails in full.
        logs = [file.read_text(errors="replace") for file in (folder / "logs").iterdir()]
        assert not [value for value in stores.secrets.values().values() if any(value in text for text in logs)]


def test_ctrl_c_while_it_starts_stops_what_has_started(monkeypatch: pytest.MonkeyPatch):
    with folder_for_postgres() as folder:
        ports = {"AIRFLOW_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
        environment = {**stack_environment(folder), "RETRAINING_VAR": str(folder), **ports}
        command = [sys.executable, "-m", "operations", "native"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + 90
        while not (folder / "native" / "logs" / "mlflow.log").exists():
            if process.poll() is not None and "is missing" in (output := process.communicate()[0]):
                pytest.skip(f"needs the native stack: {output}")
            assert time.monotonic() < deadline
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 4
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        assert "All parts have ended" in output
        assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
