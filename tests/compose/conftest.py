import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import engine
import standins
from deployment import Deployment

# A person's own number: the files are theirs, and no image knows them.
PERSON = 12345
REPORT: list[str] = []


@pytest.fixture(scope="session")
def deployment():
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.skip("the compose test starts a container engine: run `make test-compose` as root on Debian")
    # A SIGTERM, as a job's time limit sends it, must not leave containers behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    # Its own engine and its own copy of the files: nothing of this machine's containers, volumes or secrets is touched.
    # COMPOSE_TEST_CACHE=<folder> keeps the images from one run to the next.
    folder = Path(tempfile.mkdtemp(prefix="compose-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    kept = os.environ.get("COMPOSE_TEST_CACHE")
    images = Path(kept).absolute() if kept else folder / "engine"
    try:
        (folder / "docker").mkdir()
        if not kept:
            engine.give_a_disk(images, folder / "disk")
        with engine.started(folder / "docker", images, PERSON) as environment:
            _clear(environment)
            took = {}
            if not standins.upstream_answers(environment):
                begin = time.monotonic()
                standins.build(environment, folder)
                took["stand-in images"] = time.monotonic() - begin
            place = folder / "deployment"
            place.mkdir()
            made = Deployment.copied(place, PERSON, environment)
            made.took.update(took)
            if took:
                standins.unpin(place)
            try:
                yield made
            finally:
                measure(made)
                _clear(environment)
    finally:
        _unmount(folder)
        shutil.rmtree(folder)


def _clear(environment):
    """Remove what this run left, or one that was killed; images stay, in a folder that is kept.

    A network outlives its engine as a bridge of this machine, and Docker has addresses for some thirty of them.
    """
    for listed, removed in (
        (["ps", "--all"], ["rm", "--force"]),
        (["volume", "ls"], ["volume", "rm"]),
        (["network", "ls", "--filter", "type=custom"], ["network", "rm"]),
    ):
        found = subprocess.run(
            ["docker", *listed, "--quiet"], env=environment, capture_output=True, text=True, check=True
        )
        if names := found.stdout.split():
            subprocess.run(["docker", *removed, *names], env=environment, capture_output=True, check=True)


def _unmount(folder: Path) -> None:
    """The engine leaves its network namespaces mounted; its disk is mounted, too."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        if (target := line.split()[1]).startswith(str(folder)):
            subprocess.run(["umount", "--lazy", target], check=False)


def measure(deployment: Deployment) -> None:
    versions = deployment.command("docker", "version", "--format", "{{.Server.Version}}").stdout.strip()
    compose = deployment.command("docker", "compose", "version", "--short").stdout.strip()
    upstream = "stand-ins" if "stand-in images" in deployment.took else "upstream images"
    REPORT.append(f"Engine {versions}, Compose {compose}, {upstream}")
    REPORT.extend(f"{step:34} {seconds:6.0f} s" for step, seconds in deployment.took.items())
    REPORT.extend(deployment.notes)


def pytest_terminal_summary(terminalreporter):
    if REPORT:
        terminalreporter.section("the stack")
        for line in REPORT:
            terminalreporter.write_line(line)
