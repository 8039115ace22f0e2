"""`make up`: the whole stack, built and healthy, or a clear refusal. Standard library only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from operations.compose import engine, secrets

OBJECT_STORES = ("minio", "rustfs")
WAIT_SECONDS = 900


def main() -> None:
    """Check, build, start, wait until every service is healthy, and print where it is."""
    if found := refusals():
        sys.exit("The stack is not started:\n" + "\n".join(f"  - {problem}" for problem in found))
    build()
    print("Starting; every service is waited for ...", flush=True)
    if subprocess.run(engine.compose("up", "--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS))).returncode:
        sys.exit("\n".join(["The stack is not healthy:", *unhealthy(), "make doctor says more."]))
    sign_versions()
    print(addresses())


def sign_versions() -> None:
    """Sign the model versions from before signatures, at the first start that knows them; later nothing."""
    print(engine.inside("airflow-scheduler", "python", "-m", "tracked_kedro", "sign-models").strip(), flush=True)


def refusals() -> list[str]:
    """Why the stack must not be started, each as a sentence that ends with the remedy."""
    if not Path(".env").exists():
        return [".env is missing: cp .env.example .env && make secrets"]
    if found := engine.problems():
        return found
    return secrets.problems(Path("secrets")) or contradictions(engine.variables())


def contradictions(variables: dict[str, str]) -> list[str]:
    """Settings in `.env` that cannot be together, each as a sentence that ends with the remedy."""
    found = []
    profiles = {profile.strip() for profile in variables.get("COMPOSE_PROFILES", "").split(",")}
    store, executor = variables.get("OBJECT_STORE", ""), variables.get("AIRFLOW_EXECUTOR", "LocalExecutor")
    if store not in OBJECT_STORES:
        found.append(f"OBJECT_STORE={store}: choose {' or '.join(OBJECT_STORES)} in .env")
    elif profiles & set(OBJECT_STORES) != {store}:
        found.append(f"COMPOSE_PROFILES={','.join(sorted(profiles))}: of the object stores it must name {store} alone")
    if "serving" in profiles and not variables.get("SERVING_MODEL"):
        found.append("COMPOSE_PROFILES has serving, but SERVING_MODEL is empty: name the registered model in .env")
    if ("celery" in profiles) != ("CeleryExecutor" in executor):
        found.append(f"AIRFLOW_EXECUTOR={executor}, but COMPOSE_PROFILES has celery: set both or neither in .env")
    return found


def build() -> None:
    """Build the images from this folder; they know its commit.

    Raises:
        SystemExit: it failed; the engine has said why.
    """
    os.environ["GIT_COMMIT"] = commit()
    print("Building the images (some minutes the first time) ...", flush=True)
    if subprocess.run(engine.compose("build", "--quiet")).returncode:
        sys.exit("The images could not be built.")


def commit() -> str:
    """Commit of this checkout, with `-dirty` where files differ from it; "unknown" outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"], capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def unhealthy() -> list[str]:
    """Services that do not do their work, each with the command that shows why."""
    return [
        f"  {state['Service']} is {state['Health'] or state['State']}: docker compose logs {state['Service']}"
        for state in engine.states()
        if not (state["Health"] == "healthy" or (state["State"] == "exited" and state["ExitCode"] == 0))
    ]


NAMES = {
    "airflow-apiserver": ("Airflow", "user admin, password in secrets/airflow_admin_password"),
    "mlflow": ("MLflow", "user admin, password in secrets/mlflow_admin_password"),
    "serving": ("Serving", "POST /invocations, no login"),
    "minio": ("Objects", "user retraining-root, password in secrets/object_store_root_password"),
    "rustfs": ("Objects", "user retraining-root, password in secrets/object_store_root_password"),
}


def addresses() -> str:
    """Where people reach the stack, and what to do next."""
    lines = ["", "The stack is healthy."]
    for service, described in engine.services().items():
        for port in described.get("ports", []):
            title, login = NAMES.get(service, (service, ""))
            lines.append(f"  {title:8} http://{port['host_ip']}:{port['published']}   {login}")
    unpausing = "Next: unpause a DAG on Airflow's page, which starts the newest month that is due;"
    return "\n".join([*lines, f"{unpausing} `make ps`, `make logs`, `make down`."])


if __name__ == "__main__":
    main()
