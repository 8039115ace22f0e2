"""What each of Airflow's processes knows: the names of the files with the secrets that it uses, and of no others.

Airflow asks for a secret setting with a command (`…_CMD`), S3's clients read a credentials file; so no secret of
these is in an environment, which what a process forks inherits and a stray read of `/proc/self/environ` would show.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from operations.native.secrets import write_secret

_OF_TASKS = ("data_store", "mlflow_admin", "model_signing")
#: Process to the secrets it uses. LocalExecutor's tasks are forks of the scheduler: the last three are theirs. A Celery
#: worker gets a token with each piece of work, which the scheduler has signed.
USES: dict[str, tuple[str, ...]] = {
    "api-server": ("airflow_database", "airflow_fernet", "airflow_jwt", "airflow_api", "data_store", "mlflow_admin"),
    "scheduler": ("airflow_database", "airflow_fernet", "airflow_jwt", "redis", *_OF_TASKS),
    "dag-processor": ("airflow_database", "airflow_fernet"),
    "triggerer": ("airflow_database", "airflow_fernet", "data_store"),
    "worker": ("redis", *_OF_TASKS),
}
# A secret and the settings that name its file.
_COMMANDS = {
    "airflow_database": ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",),
    "airflow_fernet": ("AIRFLOW__CORE__FERNET_KEY_CMD",),
    "airflow_jwt": ("AIRFLOW__API_AUTH__JWT_SECRET_CMD",),
    "airflow_api": ("AIRFLOW__API__SECRET_KEY_CMD",),
    # Results go through Redis too, so that a worker knows no password of the database.
    "redis": ("AIRFLOW__CELERY__BROKER_URL_CMD", "AIRFLOW__CELERY__RESULT_BACKEND_CMD"),
}


def write(folder: Path, texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Write each text into a file of mode 0600 in a folder of mode 0700.

    Args:
        texts: by secret: an address, a key, or the text of a credentials file.

    Returns:
        By secret, the environment that leads to its file.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    settings = {}
    for name, text in texts.items():
        write_secret(folder / name, text)
        if name in _COMMANDS:
            command = shlex.join(["cat", str(folder / name)])
            settings[name] = dict.fromkeys(_COMMANDS[name], command)
        else:
            settings[name] = {"AWS_SHARED_CREDENTIALS_FILE": str(folder / name)}
    return settings


def used_by(process: str, settings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Of all secrets' settings, those of one process."""
    return {name: value for secret in USES[process] for name, value in settings.get(secret, {}).items()}
