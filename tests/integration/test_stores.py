"""The stores that `native.started` starts: Postgres, S3 and an authenticated MLflow server, as processes."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import psutil
import psycopg2
import pytest
from mlflow.tracking import MlflowClient

from retraining.native.errors import MissingPartError
from retraining.native.stack import Stores, started_stores

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture
def client(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    for name, value in stores.mlflow.client_environment().items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(stores.mlflow.address)
    yield MlflowClient()
    mlflow.set_tracking_uri(None)


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


def test_stopped_no_process_is_left_and_started_again_everything_is_there(monkeypatch: pytest.MonkeyPatch):
    folder = Path(tempfile.mkdtemp(prefix="stores-"))
    folder.chmod(0o711)
    before = set(psutil.Process().children(recursive=True))
    try:
        for turn in ("first", "second"):
            with started_stores(folder) as stores:
                for name, value in stores.mlflow.client_environment().items():
                    monkeypatch.setenv(name, value)
                client = MlflowClient(stores.mlflow.address)
                if turn == "first":
                    client.create_experiment("kept")
                assert client.get_experiment_by_name("kept") is not None
            left = set(psutil.Process().children(recursive=True)) - before
            assert [process.cmdline() for process in left] == []
        # The second start finds roles and databases there, and Postgres logs what fails in full.
        logs = [file.read_text(errors="replace") for file in (folder / "logs").iterdir()]
        assert not [value for value in stores.secrets.values().values() if any(value in text for text in logs)]
    except MissingPartError as error:
        pytest.skip(f"needs real stores: {error}")
    finally:
        shutil.rmtree(folder)
