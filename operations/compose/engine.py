"""The container engine as the commands of the stack use it: `docker compose` in this folder. Standard library only."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any


def compose(*arguments: str) -> list[str]:
    """The command line of `docker compose`."""
    return ["docker", "compose", *arguments]


def problems() -> list[str]:
    """Why no container can be started here, each as a sentence that ends with the remedy."""
    if shutil.which("docker") is None:
        return ["docker is missing: install Docker Engine 20.10 or later (Debian: apt-get install docker.io)"]
    version = _quiet("docker", "version", "--format", "{{.Server.Version}}")
    if version.returncode:
        return [f"The container engine does not answer: start it. It says: {version.stderr.strip()}"]
    if _quiet(*compose("version")).returncode:
        return ["docker compose is missing: install the Compose plugin, version 2.24 or later"]
    return []


def version() -> str:
    """Version of the engine."""
    return _checked("docker", "version", "--format", "{{.Server.Version}}").strip()


def compose_version() -> str:
    """Version of Compose."""
    return _checked(*compose("version", "--short")).strip()


def root_folder() -> Path:
    """Where the engine keeps images and volumes."""
    return Path(_checked("docker", "info", "--format", "{{.DockerRootDir}}").strip())


def variables() -> dict[str, str]:
    """What `.env` and the environment give the compose file."""
    done = _checked(*compose("config", "--environment"))
    return dict(line.split("=", 1) for line in done.splitlines() if "=" in line)


def services() -> dict[str, Any]:
    """The services that would be started, as the compose file and `.env` have them."""
    return json.loads(_checked(*compose("config", "--format", "json")))["services"]


def states() -> list[dict[str, Any]]:
    """Containers of the stack, stopped ones too: Service, State, Health, ExitCode."""
    return [json.loads(line) for line in _checked(*compose("ps", "--all", "--format", "json")).splitlines()]


def join_networks(service: str) -> None:
    """Connect a running service to those of its networks in the compose file that it is not in; no restart.

    Raises:
        SystemExit: the engine refuses.
    """
    described = json.loads(_checked(*compose("config", "--format", "json")))
    container = _checked(*compose("ps", "--quiet", service)).strip()
    there = json.loads(_checked("docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container))
    for network, settings in described["services"][service]["networks"].items():
        name = described["networks"][network]["name"]
        if name not in there:
            aliases = [f"--alias={alias}" for alias in [service, *(settings or {}).get("aliases", [])]]
            _checked("docker", "network", "connect", *aliases, name, container)


def inside(service: str, *command: str) -> str:
    """Output of a command in a running service.

    Raises:
        SystemExit: it failed; the message is what it said.
    """
    return _checked(*compose("exec", "-T", service, *command))


def digest(image: str) -> str | None:
    """What an image's tag stands for in its registry now, `sha256:…`; the image is pulled. None without an answer."""
    if _quiet("docker", "pull", "--quiet", image).returncode:
        return None
    name = image.rpartition(":")[0].removeprefix("docker.io/")
    listed = json.loads(_checked("docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image))
    return next((one.rpartition("@")[2] for one in listed if one.startswith(f"{name}@")), None)


def _checked(*command: str) -> str:
    done = _quiet(*command)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


def _quiet(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)
