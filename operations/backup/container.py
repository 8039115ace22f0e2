"""What the service `backup` of the compose file knows of its stack: addresses in its environment, secrets in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import make_url

from operations.in_container.secret_files import SECRETS, s3_key, text

_PASSWORDS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "airflow_database_password",
    "MLFLOW_BACKEND_STORE_URI": "mlflow_database_password",
}
_KEYS = {"ARTIFACTS": "artifact_store_credentials", "AWS": "data_store_credentials"}


def with_secrets(environment: Mapping[str, str], secrets: Path = SECRETS) -> dict[str, str]:
    """The environment with the secrets in their places, for this process alone; unchanged outside a container.

    Args:
        environment: addresses of the databases without a password, and of the stores.
        secrets: folder of the files.
    """
    known = dict(environment)
    if not (secrets / _KEYS["ARTIFACTS"]).exists():
        return known
    for name, file in _PASSWORDS.items():
        address = make_url(known[name]).set(password=text(file, secrets))
        known[name] = address.render_as_string(hide_password=False)
    for prefix, file in _KEYS.items():
        known[f"{prefix}_ACCESS_KEY_ID"], known[f"{prefix}_SECRET_ACCESS_KEY"] = s3_key(file, secrets)
    known["MLFLOW_TRACKING_PASSWORD"] = text("mlflow_admin_password", secrets)
    known["BACKUP_SIGNING_KEY"] = text("backup_signing_key", secrets)
    return known
