"""What a backup says of itself: its entries with size and digest, signed with a key that only its stack has."""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
from typing import Annotated, Literal

from packaging.version import Version
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

# 1 had no signature.
FORMAT = 2
PACKAGES = ("apache-airflow", "mlflow")


class Entry(BaseModel):
    """One entry."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """The whole backup: when it was made, with which packages, and its entries by name."""

    format: Literal[1, 2]
    made: AwareDatetime
    packages: dict[Literal["apache-airflow", "mlflow"], Annotated[str, AfterValidator(lambda text: str(Version(text)))]]
    files: dict[str, Entry]

    @property
    def total_bytes(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.files.values())

    def newer(self) -> str | None:
        """What it was made with that is newer than here, as a sentence; None where nothing is."""
        for name, made_by in self.packages.items():
            if Version(made_by) > Version(here := importlib.metadata.version(name)):
                return f"was made with {name} {made_by}, here is {here}; upgrade first"
        return None


def signature(manifest: bytes, key: str) -> bytes:
    """HMAC-SHA256 of a manifest as it lies in the file, in hexadecimal digits."""
    return hmac.new(key.encode(), manifest, hashlib.sha256).hexdigest().encode()


def not_signed(manifest: bytes, found: bytes | None, key: str | None) -> str | None:
    """Why a manifest is not known to be this stack's, as the end of a sentence; None where it is.

    Args:
        manifest: as it lies in the file.
        found: its signature there, None where there is none.
        key: this stack's, None where it has none yet.
    """
    if found is None:
        return "has no signature: it is older than signatures, or `make backup` has not written it"
    if key is None:
        return (
            "is signed, and this stack has no key to check it with: bring the secrets of the stack that made it "
            "(secrets/backup_signing_key; native: var/native/secrets.json)"
        )
    if not hmac.compare_digest(found, signature(manifest, key)):
        return (
            "is signed with another key than this stack's, or was changed: bring the key of the stack that made it "
            "(secrets/backup_signing_key; native: backup_signing in var/native/secrets.json)"
        )
    return None
