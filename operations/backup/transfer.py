"""A stack's state into an archive and back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from operations.backup import databases
from operations.backup.archive import Archive, Writer
from operations.backup.entries import is_legal
from operations.backup.place import Bucket, Place


def backup(place: Place, target: Path) -> None:
    """Write a backup while the stack works.

    Airflow's database comes first and the artifacts last: whatever a state speaks of is then there. A task that Airflow
    believes unfinished and MLflow finished is run again and finds its runs; the reverse would be lost work.

    Raises:
        click.ClickException: a database or bucket cannot be read.
    """
    with Writer(target, place.signing_key) as archive, tempfile.TemporaryDirectory() as folder:
        for name in ("airflow", "mlflow"):
            dump = Path(folder) / name
            databases.dump(place.databases[name], dump)
            with dump.open("rb") as content:
                archive.add(f"databases/{name}", dump.stat().st_size, content)
            click.echo(f"  database {name}: {dump.stat().st_size / 1e6:.1f} MB")
        for name in ("data", "artifacts"):
            objects, size = _copy(place.buckets[name], name, archive)
            click.echo(f"  bucket {place.buckets[name].name} ({name}): {objects} objects, {size / 1e6:.1f} MB")


def _copy(bucket: Bucket, name: str, archive: Writer) -> tuple[int, int]:
    objects = total = 0
    for key, size in bucket.objects():
        if key.endswith("/") and not size:
            continue  # a folder that a console has made: S3 has none
        if not is_legal(f"{name}/{key}"):
            # Whoever may write one object must not keep the others from being backed up.
            click.echo(f"    the object {key!r} is left out: no backup is restored that has such a name")
            continue
        answer = bucket.client.get_object(Bucket=bucket.name, Key=key)
        archive.add(f"{name}/{key}", answer["ContentLength"], answer["Body"])
        objects, total = objects + 1, total + answer["ContentLength"]
        if objects % 500 == 0:
            click.echo(f"    {objects} objects ...")
    return objects, total


def restore(place: Place, archive: Archive, force: bool = False) -> None:
    """Make a stack what it was when it was backed up. Its services must not work meanwhile; may be repeated.

    The secrets stay those of this stack: MLflow's administrator has this stack's password afterwards.

    Raises:
        click.ClickException: the stack is not empty and `force` is not given, the disk is too full, or a store refuses.
    """
    if not force and (found := _content(place)):
        raise click.ClickException(f"The stack is not empty ({found}); FORCE=1 replaces all of it by the backup")
    _refuse_without_room(place, archive)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in archive.entries("databases"):
            dump = Path(folder) / name
            with dump.open("wb") as target:
                shutil.copyfileobj(content, target)
            databases.load(place.databases[name], dump)
            click.echo(f"  database {name} is restored")
    for name, bucket in place.buckets.items():
        for key in [key for key, _ in bucket.objects()]:
            bucket.client.delete_object(Bucket=bucket.name, Key=key)
        objects = 0
        for key, content in archive.entries(name):
            bucket.client.upload_fileobj(content, bucket.name, key)
            objects += 1
            if objects % 500 == 0:
                click.echo(f"    {objects} objects ...")
        click.echo(f"  bucket {bucket.name} ({name}): {objects} objects are restored")
    _keep_password(place)


def _refuse_without_room(place: Place, archive: Archive) -> None:
    """Dumps are unpacked here for a moment; native stores keep everything on this machine."""
    needed = {Path(tempfile.gettempdir()): archive.size("databases")}
    if place.folder:
        replaced = sum(size for bucket in place.buckets.values() for _, size in bucket.objects())
        needed[place.folder] = archive.manifest.total_bytes - replaced
    for folder, size in needed.items():
        if size > (free := shutil.disk_usage(folder).free):
            raise click.ClickException(
                f"{folder} has {free / 1e6:,.0f} MB free, and {size / 1e6:,.0f} MB would go there; make room first"
            )


def _content(place: Place) -> str:
    """What a stack holds that a restoration would replace; nothing where it is new."""
    rows = {
        "MLflow runs": databases.count(place.databases["mlflow"], "runs"),
        "registered models": databases.count(place.databases["mlflow"], "registered_models"),
        "DAG runs": databases.count(place.databases["airflow"], "dag_run"),
        "artifacts": sum(1 for _ in place.buckets["artifacts"].objects()),
    }
    return ", ".join(f"{number} {name}" for name, number in rows.items() if number)


def _keep_password(place: Place) -> None:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    users = SqlAlchemyStore()
    users.init_db(place.databases["mlflow"])
    users.update_user(place.mlflow_user, password=place.mlflow_password)
