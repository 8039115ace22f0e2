"""`make secrets`: strong random secrets as files that only their owner can read, made once and never overwritten.

Standard library only, as every command that a machine with nothing but Docker and Python runs.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
import sys
from collections.abc import Callable
from pathlib import Path

AIRFLOW_IMAGE_USER = 50000
SHORTEST = 16  # characters; what is made here has 40 or more
# What people put in by hand, and what images come with.
_KNOWN = {"airflow", "admin", "password", "password1234", "postgres", "mlflow", "minioadmin", "rustfsadmin", "changeme"}


def _token() -> str:
    return secrets.token_urlsafe(30)


def _s3_key(name: str) -> Callable[[], str]:
    # MinIO takes at most 40 characters as a secret key.
    return lambda: f"[default]\naws_access_key_id = {name}\naws_secret_access_key = {_token()}\n"


FILES: dict[str, Callable[[], str]] = {
    "postgres_password": _token,
    "object_store_root_password": _token,
    "artifact_store_credentials": _s3_key("retraining-artifacts"),
    "data_store_credentials": _s3_key("retraining-data"),
    "mlflow_database_password": _token,
    "mlflow_admin_password": _token,
    "mlflow_client_credentials": lambda: (
        f"[mlflow]\nmlflow_tracking_username = retraining\nmlflow_tracking_password = {_token()}\n"
    ),
    "mlflow_flask_secret": _token,
    "airflow_admin_password": _token,
    "airflow_api_secret_key": _token,
    "airflow_database_password": _token,
    "airflow_fernet_key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "airflow_jwt_secret": lambda: secrets.token_urlsafe(64),
    "model_signing_key": lambda: secrets.token_urlsafe(48),
    "redis_password": _token,
    "backup_signing_key": _token,
    "serving_token": _token,
}


def make(folder: Path, settings: Path) -> list[str]:
    """Write every secret that is not there yet, and the number of their owner into `.env`.

    Args:
        folder: where the files go; only its owner can enter it.
        settings: the `.env` file; its AIRFLOW_UID, where it is empty, is filled in.

    Returns:
        Names of the files that were made.

    Raises:
        SystemExit: `.env` is missing, or names a user that this one cannot write files for.
    """
    if not settings.exists():
        raise SystemExit(f"{settings} is missing: cp .env.example .env")
    owner = _owner(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    made = []
    for name, value in FILES.items():
        try:
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w") as file:
            file.write(value())
        made.append(name)
    if os.geteuid() == 0:
        for path in (folder, *(folder / name for name in made)):
            os.chown(path, owner, 0)
    return made


def _owner(settings: Path) -> int:
    """User that the services run as; written into `.env` where that does not say."""
    lines = settings.read_text().splitlines()
    given = next((line.partition("=")[2].strip() for line in lines if line.startswith("AIRFLOW_UID=")), "")
    mine = os.geteuid()
    if given:
        if not given.isdecimal() or given == "0":
            raise SystemExit(f"AIRFLOW_UID={given} in {settings}: give the number of a user other than root")
        if mine not in (0, int(given)):
            raise SystemExit(
                f"AIRFLOW_UID={given} in {settings}, but you are user {mine} and cannot make files for another: "
                f"empty that line, or run this as user {given}"
            )
        return int(given)
    owner = mine or AIRFLOW_IMAGE_USER
    kept = [line for line in lines if not line.startswith("AIRFLOW_UID=")]
    part = settings.with_name(f"{settings.name}.part")
    part.write_text("\n".join([*kept, "", f"AIRFLOW_UID={owner}"]) + "\n")
    part.replace(settings)
    return owner


def problems(folder: Path) -> list[str]:
    """What is wrong with the secrets, each as a sentence that ends with the remedy."""
    found = []
    for name in FILES:
        file = folder / name
        try:
            text, mode = file.read_text(), stat.S_IMODE(file.stat().st_mode)
        except FileNotFoundError:
            found.append(f"{file} is missing: make secrets")
            continue
        except PermissionError:
            found.append(f"{file} belongs to another user: run this as that user, or remove {folder}/ and make secrets")
            continue
        value = text.rpartition("=")[2].strip() if "\n" in text.strip() else text.strip()
        if not value:
            found.append(f"{file} is empty: remove it and make secrets")
        elif value.lower() in _KNOWN or len(value) < SHORTEST:
            found.append(f"{file} is a default or shorter than {SHORTEST} characters: remove it and make secrets")
        if mode & 0o077:
            found.append(f"{file} can be read by others (mode {mode:o}): chmod 600 {file}")
    return found


def main() -> None:
    """Make the secrets of the deployment in this folder."""
    folder = Path("secrets")
    made = make(folder, Path(".env"))
    if wrong := problems(folder):
        sys.exit("\n".join(wrong))
    if made:
        print(f"Made {len(made)} secrets in {folder}/ (mode 0600). Keep a copy where the backups are not.")
    else:
        print(f"All {len(FILES)} secrets are in {folder}/; nothing was overwritten.")
    print("Next: make up")


if __name__ == "__main__":
    main()
