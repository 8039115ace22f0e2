"""`make models` and `make rollback`: the versions of a registered model, and the champion put back."""

from __future__ import annotations

import getpass

import click

from tracked_kedro.cli import named_models
from tracked_kedro.cli.printable import printable
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.promotion.moves import CHAMPION
from tracked_kedro.promotion.registry import Registry, RegistryError
from tracked_kedro.serving.signing import SIGNATURE_TAG


def rollback(model: str, to: int | None, why: str) -> None:
    """Make an earlier version champion again and say what is served now.

    Raises:
        click.ClickException: there is no such version, or nothing to go back to; nothing was changed.
    """
    tracking_server.connect()
    named_models.check(model)
    try:
        before, now = Registry(model).rollback(to, getpass.getuser(), why or "rolled back by hand")
    except RegistryError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{model}: version {now} is champion" + (f", version {before} is previous." if before else "."))
    click.echo("`make serve` answers with it within a minute; `make models` shows the history.")


def show(model: str) -> None:
    """Print the versions with their aliases, the newest first, and every move of the champion.

    Raises:
        click.ClickException: there is no version yet.
    """
    tracking_server.connect()
    named_models.check(model)
    registry = Registry(model)
    aliases = registry.aliases()
    if not aliases:
        raise click.ClickException(f"{model} has no version yet; a complete `make retrain` registers one")
    click.echo("version  cutoff      data              aliases")
    for version in registry.versions():
        number = int(version.version)
        names = ", ".join(sorted(alias for alias, named in aliases.items() if named == number))
        cutoff, data = (printable(version.tags.get(key, "—")) for key in ("cutoff", "data_digest"))
        refused = "" if SIGNATURE_TAG in version.tags else "  not signed: refused"
        click.echo(f"{number:>7}  {cutoff:<10}  {data:<16}  {names}{refused}".rstrip())
    click.echo(f"\nMoves of {CHAMPION}")
    for event in registry.history():
        before = f"version {event.replaced}" if event.replaced is not None else "none"
        what = f"{before} → version {event.version}, {event.action} by {event.by}: {event.why}"
        click.echo(f"{printable(event.at[:19])}  {printable(what)}")
    click.echo("\n`make serve` answers with the champion; `make rollback` makes the one before it champion again.")
