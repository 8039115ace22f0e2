"""`make pin-images`, with a registry that answers for some images and one that answers for none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from operations.compose import pin

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "0123456789abcdef" * 4
# An engine that pulls what starts with the given name.
DOCKER = """#!/bin/sh
case "$1 $2" in
    "pull --quiet") case "$3" in {answers}*) exit 0 ;; *) exit 1 ;; esac ;;
    "image inspect") echo '["other@sha256:00", "'"${{5%:*}}"'@{digest}"]' ;;
esac
"""


@pytest.fixture
def pinning(tmp_path):
    """Runs it in a copy of the files; its output, and the files afterwards."""
    for name in pin.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()

    def run(answers):
        program.write_text(DOCKER.format(answers=answers, digest=DIGEST))
        program.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-S", "-m", "operations.compose.pin"], cwd=tmp_path, capture_output=True, text=True,
            env={"PYTHONPATH": str(ROOT), "PATH": f"{program.parent}:{os.defpath}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout, {name: (tmp_path / name).read_text() for name in pin.FILES}

    return run


def test_every_upstream_image_of_the_shipped_files_has_its_place():
    found = {image for name in pin.FILES for image in pin.images((ROOT / name).read_text())}
    assert {re.split("[:/]", image)[-2] for image in found} == {
        "postgres",
        "redis",
        "minio",
        "rustfs",
        "airflow",
        "mlflow",
    }


def test_without_a_registry_the_tags_apply_and_it_says_so(pinning):
    said, files = pinning("nobody/")
    assert files == {name: (ROOT / name).read_text() for name in pin.FILES}
    assert "postgres:16-bookworm: no registry answered, its tag applies" in said
    assert "0 of 6 images are pinned" in said


def test_a_digest_stands_beside_its_tag_and_stays_when_the_registry_does_not_answer(pinning):
    said, files = pinning("postgres")
    assert f"image: postgres:16-bookworm@{DIGEST}\n" in files["docker-compose.yaml"]
    assert files["docker/Dockerfile"] == (ROOT / "docker/Dockerfile").read_text()
    assert "1 of 6 images are pinned" in said

    said, again = pinning("nobody/")
    assert again == files
    assert "postgres:16-bookworm: no registry answered, its digest stays" in said

    said, _ = pinning("postgres")
    assert "postgres:16-bookworm: as before" in said
