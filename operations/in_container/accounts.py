"""`accounts`: Airflow's first user, and the user that tasks are to MLflow. May be run again at any time."""

from __future__ import annotations

import configparser
import os

import click
import requests

from operations.in_container.secret_files import SECRETS, text

ADMIN = "admin"
WITHIN = 30  # seconds an answer may take


def airflow_admin(password: str) -> bool:
    """Make Airflow's first user, unless there is one of that name; a password changed since stays as it is.

    In this process and not by `airflow users create`: its command line would show the password.

    Returns:
        Whether the user was made.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        if manager.find_user(username=ADMIN):
            return False
        role = manager.find_role("Admin")
        if not manager.add_user(ADMIN, "Admin", "of this deployment", "admin@example.invalid", role, password):
            raise click.ClickException("Airflow did not make the user; its log above says why")
        return True


def mlflow_user(server: str, admin_password: str, user: str, password: str) -> bool:
    """Make a user of MLflow who is no administrator: owner of the experiments and models that it makes.

    Returns:
        Whether the user was made.

    Raises:
        click.ClickException: MLflow refuses; the message holds its answer.
    """
    admin = (ADMIN, admin_password)
    users = f"{server}/api/2.0/mlflow/users"
    found = requests.get(f"{users}/get", params={"username": user}, auth=admin, timeout=WITHIN)
    if found.ok:
        answer = requests.patch(
            f"{users}/update-password",
            json={"username": user, "password": password},
            auth=admin,
            timeout=WITHIN,
        )
    elif found.status_code == requests.codes.not_found:
        answer = requests.post(
            f"{users}/create", json={"username": user, "password": password}, auth=admin, timeout=WITHIN
        )
    else:
        answer = found
    if not answer.ok:
        raise click.ClickException(f"MLflow at {server} answers {answer.status_code}: {answer.text.strip()}")
    return not found.ok


def run() -> None:
    """Make the accounts of the stack this container belongs to."""
    made = airflow_admin(text("airflow_admin_password"))
    click.echo(f"Airflow's user {ADMIN} is {'made' if made else 'there'}")
    client = configparser.ConfigParser(interpolation=None)
    client.read_string((SECRETS / "mlflow_client_credentials").read_text())
    user, password = client["mlflow"]["mlflow_tracking_username"], client["mlflow"]["mlflow_tracking_password"]
    server = os.environ["MLFLOW_TRACKING_URI"].rstrip("/")
    made = mlflow_user(server, text("mlflow_admin_password"), user, password)
    click.echo(f"MLflow's user {user} is {'made' if made else 'there'}")
