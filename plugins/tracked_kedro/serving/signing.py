"""Which registered versions are this deployment's own: where their files lie, and a signature of what is in them.

A model is code. Whoever may register versions in MLflow, or write where artifacts lie, could have it run by whatever
serves or compares versions. So each version carries, as tags, the digests of its files and an HMAC-SHA256 of those,
made with a key that MLflow and its users do not have. The key signs and verifies alike: whoever holds it can sign.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path

from tracked_kedro.compatibility import download_file
from tracked_kedro.kedro_side.locations import var_folder

FILES_TAG, SIGNATURE_TAG = "files", "signature"
_NOT_THERE = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)
SHORTEST_KEY = 32  # characters
LONGEST = 100_000  # characters that MLflow takes as a tag of a version


class UntrustedVersionError(ValueError):
    """A version is not loaded; the message names it and says what to do."""


class GoneVersionError(UntrustedVersionError):
    """A file of a version is there no more: somebody deleted it, or its run for good."""


class SigningKeyError(ValueError):
    """There is no key, or it is weak; the message says what to do."""


def signed(model: str, folder: Path) -> dict[str, str]:
    """Tags for a version of a model that is made of all files of a folder.

    Raises:
        SigningKeyError: there is no key.
        ValueError: there are too many files for a tag.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        files[path.relative_to(folder).as_posix()] = [len(content), hashlib.sha256(content).hexdigest()]
    text = json.dumps(files, separators=(",", ":"))
    if len(text) > LONGEST:
        raise ValueError(f"{model}: {len(files)} files are too many to be signed; keep them in an archive")
    return {FILES_TAG: text, SIGNATURE_TAG: _signature(model, text, signing_key(make=True))}


class TrustedFiles:
    """The files of a version, each checked when it is read.

    Args:
        version: as the registry tells it.

    Raises:
        UntrustedVersionError: its source lies elsewhere than this deployment's artifacts, or its signature is
            missing or wrong.
        SigningKeyError: there is no key.
    """

    def __init__(self, version: ModelVersion) -> None:
        self._name, self._source = f"{version.name} version {version.version}", str(version.source)
        if not is_ours(self._source):
            raise UntrustedVersionError(
                f"{self._name} is refused: its source is outside this deployment's artifacts; retrain, or have the "
                "operator list its place in MODEL_LOCATIONS"
            )
        text = version.tags.get(FILES_TAG, "")
        if SIGNATURE_TAG not in version.tags:
            raise UntrustedVersionError(
                f"{self._name} is refused: it is not signed; if you know where it comes from, `make sign-models "
                f"VERSION={version.name}/{version.version}`, else retrain"
            )
        expected = _signature(version.name, text, signing_key())
        if not hmac.compare_digest(expected.encode(), version.tags[SIGNATURE_TAG].encode()):
            raise UntrustedVersionError(
                f"{self._name} is refused: its signature is wrong; somebody has changed its tags, or it was signed "
                "with another key: bring that key back, or retrain"
            )
        self._files: dict[str, list[Any]] = json.loads(text)

    @property
    def paths(self) -> frozenset[str]:
        """Of the files that were signed."""
        return frozenset(self._files)

    def read(self, path: str) -> bytes:
        """Content of one file.

        Raises:
            GoneVersionError: it is there no more.
            UntrustedVersionError: it is not what was signed.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._download(path, Path(folder) / "file")
            return (Path(folder) / "file").read_bytes()

    def check(self) -> None:
        """Read every file.

        Raises:
            GoneVersionError: one is there no more.
            UntrustedVersionError: one is not what was signed.
        """
        for path in self._files:
            self.read(path)

    def fetch(self, folder: Path) -> None:
        """Bring all files to a folder, and nothing that was not signed."""
        for path in self._files:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self._download(path, target)

    def _download(self, path: str, target: Path) -> None:
        size, digest = self._files.get(path, (None, None))
        if size is not None:
            try:
                download_file(get_artifact_repository(self._source), path, target)
            except (OSError, MlflowException) as error:
                if not _is_gone(error):
                    raise
                raise GoneVersionError(
                    f"{self._name} is refused: {path} is there no more; restore it from a backup, or retrain"
                ) from error
            with target.open("rb") as file:
                if target.stat().st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == digest:
                    return
        raise UntrustedVersionError(
            f"{self._name} is refused: {path} is not the file that was signed; restore it from a backup, or retrain"
        )


def _is_gone(error: Exception) -> bool:
    """Whether a store says that there is no such file, and not that it cannot be asked."""
    answer = getattr(error, "response", None)
    code = getattr(error, "error_code", None)
    return isinstance(error, FileNotFoundError) or getattr(answer, "status_code", None) == 404 or code == _NOT_THERE


def signing_key(make: bool = False) -> bytes:
    """The key, from the file that MODEL_SIGNING_KEY_FILE names; the embedded store has one in `<var>`.

    Args:
        make: write the embedded store's key where it has none yet.

    Raises:
        SigningKeyError: there is no key, or it is too short.
    """
    named = os.environ.get("MODEL_SIGNING_KEY_FILE")
    if not named and not _is_embedded():
        raise SigningKeyError("MODEL_SIGNING_KEY_FILE is not set: name the file with the key that signs models")
    file = Path(named) if named else var_folder() / "model_signing_key"
    if make and not named:
        _make(file)
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        remedy = "`make secrets` makes it" if named else "the first `make retrain` makes it"
        raise SigningKeyError(f"{file}, the key that signs models, cannot be read; {remedy}") from error
    if len(key) < SHORTEST_KEY:
        raise SigningKeyError(f"{file}: the key that signs models is shorter than {SHORTEST_KEY} characters")
    return key


def _make(file: Path) -> None:
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".model_signing_key.")  # mode 0600
    with os.fdopen(handle, "w") as new:
        new.write(secrets.token_urlsafe(48))
    try:
        os.link(name, file)
    except FileExistsError:  # another process was faster
        pass
    finally:
        Path(name).unlink()


def _signature(model: str, files: str, key: bytes) -> str:
    return hmac.new(key, json.dumps(["registered version", model, files]).encode(), hashlib.sha256).hexdigest()


def _is_embedded() -> bool:
    return mlflow.get_tracking_uri().startswith("sqlite:")


def is_ours(source: str) -> bool:
    """Whether a source lies in this deployment's artifacts, or where MODEL_LOCATIONS (addresses, by commas) says."""
    listed = [one.strip() for one in os.environ.get("MODEL_LOCATIONS", "").split(",") if one.strip()]
    own = (var_folder() / "mlflow" / "artifacts").as_uri() if _is_embedded() else "mlflow-artifacts:"
    return any(_is_inside(source, root) for root in (own, *listed))


def _is_inside(source: str, root: str) -> bool:
    if root.startswith(("file:", "/")):
        if not source.startswith(("file:///", "/")):
            return False
        paths = [Path(local_file_uri_to_path(one)).resolve() for one in (source, root)]
        return paths[0].is_relative_to(paths[1]) and paths[0] != paths[1]
    rest = source.removeprefix(f"{root.rstrip('/')}/")
    # Whatever a store might read as another place: dots, an authority, a query, an escape.
    parts = rest.split("/")
    return rest != source and not {"", ".", ".."} & set(parts) and not set("%?#\\") & set(rest)
