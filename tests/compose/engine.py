"""A container engine of this test's own, where none answers: Debian's, started by hand, stopped by its process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

READY_WITHIN = 60.0
DISK = 64 * 1024**3  # bytes at most; it takes as many as it holds


@contextlib.contextmanager
def started(folder: Path, images: Path, group: int) -> Iterator[dict[str, str]]:
    """An engine that is this test's own, for as long as the body runs.

    Args:
        folder: for its socket, state and log; removed by whoever made it.
        images: where it keeps images, containers and volumes.
        group: number of the group that may talk to it.

    Yields:
        Environment for `docker`, with Compose as its plugin.
    """
    _install()
    plugins = folder / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    shutil.copy(Path(sys.executable).with_name("docker-compose"), plugins)
    socket, pid_file = folder / "docker.sock", folder / "docker.pid"
    # Debian's client beside Debian's engine, whatever else is on the PATH.
    environment = {
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(folder / "config"),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        # Engine 20.10 has no buildx beside it.
        "DOCKER_BUILDKIT": "0",
    }
    command = ["dockerd", f"--host=unix://{socket}", f"--data-root={images}", f"--exec-root={folder / 'exec'}"]
    command += [f"--pidfile={pid_file}", f"--group={group}"]
    with (folder / "dockerd.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
        try:
            deadline = time.monotonic() + READY_WITHIN
            while subprocess.run(["docker", "info"], env=environment, capture_output=True).returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The engine does not start:\n" + (folder / "dockerd.log").read_text()[-3000:])
                time.sleep(0.3)
            yield environment
        finally:
            process.terminate()
            process.wait(60)


def give_a_disk(place: Path, file: Path) -> None:
    """Mount a file system of its own at a folder, kept in a sparse file: with that, all images go at once.

    To delete their hundred thousands of files takes minutes. Where nothing can be mounted, it stays a plain folder.
    """
    place.mkdir()
    with file.open("wb") as made:
        made.truncate(DISK)
    script = 'mkfs.ext4 -q -F -O ^has_journal "$0" && mount -o loop,noatime "$0" "$1"'
    subprocess.run(["sh", "-c", script, file, place], capture_output=True)


def _install() -> None:
    wanted = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
    missing = [package for program, package in wanted.items() if not shutil.which(program, path="/usr/sbin:/usr/bin")]
    if not missing:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    with _no_service_starts():
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=quiet)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian starts a service when it is installed, unless this file says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
