"""Passwords and keys of one stack: generated once, kept with mode 0600, refused where they are weak."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from operations.native.errors import SecretsError

FILE = "secrets.json"
# Addresses and keys of the stores of a running stack, for other commands.
RUNNING = "running.env"
# Also safe inside an address and in the one line that a server reads it from.
_STRONG = re.compile(r"[A-Za-z0-9_=-]{24,}")


def _secret(make: Callable[[], str] = lambda: secrets.token_urlsafe(24), least: int = 24) -> str:
    return field(repr=False, metadata={"make": make, "least": least})


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@dataclass(frozen=True)
class Secrets:
    """Passwords and keys of one folder of stores. Its text form shows none of them."""

    postgres_superuser: str = _secret()
    postgres_mlflow: str = _secret()
    postgres_airflow: str = _secret()
    artifacts_key: str = _secret()
    artifacts_secret: str = _secret()
    data_key: str = _secret()
    data_secret: str = _secret()
    mlflow_admin: str = _secret()
    mlflow_flask: str = _secret()
    airflow_admin: str = _secret()
    airflow_api: str = _secret()
    # Airflow signs its tokens with SHA-512, which wants a key of at least 64 bytes.
    airflow_jwt: str = _secret(lambda: secrets.token_urlsafe(64), 64)
    airflow_fernet: str = _secret(_fernet_key, 44)
    redis: str = _secret()
    backup_signing: str = _secret()
    model_signing: str = _secret(lambda: secrets.token_urlsafe(48), 64)

    @classmethod
    def of(cls, folder: Path) -> Secrets:
        """Those that lie in the folder; what is not there yet is generated.

        Raises:
            SecretsError: one is empty, too short, or has characters that an address cannot hold.
        """
        file = folder / FILE
        known = _read(file)
        made = {one.name: one.metadata["make"]() for one in fields(cls) if one.name not in known}
        found = {**known, **made}
        for one in fields(cls):
            _check(one.name, found[one.name], one.metadata["least"], file)
        if made:
            write_secret(file, json.dumps(found, indent=1))
        return cls(**{one.name: found[one.name] for one in fields(cls)})

    def values(self) -> dict[str, str]:
        """All of them by name."""
        return asdict(self)


def kept(folder: Path, name: str) -> str | None:
    """One secret that lies in a folder; None where it was not generated yet.

    Raises:
        SecretsError: the file is no JSON object of secrets.
    """
    return _read(folder / FILE).get(name)


def problems(folder: Path) -> list[str]:
    """What is wrong with the secrets that lie in a folder, each as a sentence that ends with the remedy."""
    found = []
    for file in (folder / FILE, folder / RUNNING):
        if file.exists() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            found.append(f"{file} can be read by others (mode {mode:o}): chmod 600 {file}")
    try:
        known = _read(folder / FILE)
        for one in fields(Secrets):
            if one.name in known:
                _check(one.name, known[one.name], one.metadata["least"], folder / FILE)
    except SecretsError as error:
        found.append(str(error))
    return found


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    try:
        known = json.loads(file.read_text())
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise SecretsError(f"{file} is no JSON object of secrets; restore it from where you keep a copy")
    return known


def _check(name: str, value: object, least: int, file: Path) -> None:
    if isinstance(value, str) and len(value) >= least and _STRONG.fullmatch(value):
        return
    raise SecretsError(
        f"The secret {name!r} in {file} is empty or weak: at least {least} letters, digits, '-' or '_' are needed. "
        "Remove its line, and a strong one is generated at the next start; a password that a database or user has "
        "already must be changed there too"
    )


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, at no moment anybody else, in one step."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(text)
    new.replace(file)
