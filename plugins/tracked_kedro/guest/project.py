"""A hosted project, opened as `kedro run` opens it: its own settings, hooks, configuration and package are in force."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracked_kedro.errors import PermanentError

# Hooks that other packages bring into every project of an environment. kedro-mlflow's stays where the project has asked
# for it with an mlflow.yml.
_LIBRARY = ("tracked-kedro", "tracked_kedro")
# Reports usage; writes into the project's folder.
_UNWANTED = ("kedro-telemetry", "kedro_telemetry", "kedro-viz", "kedro_viz")
_KEDRO_MLFLOW = ("kedro-mlflow", "kedro_mlflow")


def checked(folder: Path) -> dict[str, Any]:
    """The table `tool.kedro` of a project's pyproject.toml; nothing of the project is imported.

    Raises:
        PermanentError: there is no Kedro project, or it is of a Kedro that this library cannot host.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        raise PermanentError(f"{folder}: no Kedro project there, for it has no pyproject.toml; name its folder")
    try:
        declared = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise PermanentError(f"{file}: {error}; correct it") from error
    kedro = declared.get("tool", {}).get("kedro")
    if not kedro or "package_name" not in kedro:
        raise PermanentError(f"{file}: no Kedro project, for it has no table [tool.kedro] with a package_name")
    made_for = str(kedro.get("kedro_init_version", ""))
    if made_for and int(made_for.partition(".")[0] or 0) < 1:
        raise PermanentError(
            f"{file}: the project is one of Kedro {made_for}, and 1.0 is the oldest that is hosted; migrate it "
            '(Kedro\'s migration guide), then write kedro_init_version = "1.0.0" there'
        )
    return kedro


def has_mlflow_yml(folder: Path, conf_source: str = "conf") -> bool:
    """Whether the project configures kedro-mlflow itself."""
    return any((folder / conf_source).glob("**/mlflow*.yml"))


def environment(folder: Path, asked: str | None, conf_source: str = "conf") -> str | None:
    """Kedro's environment: the one that is asked for where the project has it, else its own default."""
    return asked if asked and (folder / conf_source / asked).is_dir() else None


@contextmanager
def opened(
    folder: Path,
    asked: str | None = None,
    runtime_params: dict[str, Any] | None = None,
    hooks: Sequence[Any] = (),
    is_tracked: bool = False,
) -> Iterator[Any]:
    """A Kedro session of the project, with some more hooks.

    Args:
        folder: of the project.
        asked: Kedro's environment, taken where the project has it.
        runtime_params: Kedro's.
        hooks: besides those of the project.
        is_tracked: whether a parent run is open; else kedro-mlflow, which would open one, is left out.

    Raises:
        PermanentError: it cannot be opened; the message names a library that is missing.
    """
    checked(folder)
    from kedro.framework.project import settings
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    try:
        bootstrap_project(folder)
        disabled = {*settings.DISABLE_HOOKS_FOR_PLUGINS, *_LIBRARY, *_UNWANTED}
        if not (is_tracked and has_mlflow_yml(folder, settings.CONF_SOURCE)):
            disabled |= set(_KEDRO_MLFLOW)
        settings.set("DISABLE_HOOKS_FOR_PLUGINS", tuple(sorted(disabled)))
        settings.set("HOOKS", (*settings.HOOKS, *hooks))
        # The deployment's environment is no order to a project that has none of this name.
        os.environ.pop("KEDRO_ENV", None)
        session = KedroSession.create(
            project_path=folder,
            save_on_close=False,
            env=environment(folder, asked, settings.CONF_SOURCE),
            runtime_params=runtime_params,
        )
    except ImportError as error:
        raise missing(error) from error
    with session:
        yield session


def missing(error: ImportError) -> PermanentError:
    """The same error with what to do."""
    # Kedro's own search for pipelines says which module could not be imported, and its cause which library that wants.
    link: BaseException | None = error
    while link is not None and not getattr(link, "name", None):
        link = link.__cause__
    library = str(getattr(link, "name", None) or "").partition(".")[0]
    if not library:
        return PermanentError(f"{type(error).__name__}: {error}")
    return PermanentError(
        f"{str(link).rstrip('.')}: the library {library} is missing where this project runs; name it in "
        "the project's requirements, set `environment: own` in its block of airflow.yml, and build "
        "that with `make environments`"
    )
