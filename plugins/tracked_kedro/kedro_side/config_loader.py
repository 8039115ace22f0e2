"""Kedro's configuration loader with what these rails add to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import OmegaConf

from tracked_kedro.kedro_side.locations import RESOLVERS
from tracked_kedro.kedro_side.plain_values import refuse_what_is_not_plain
from tracked_kedro.kedro_side.written_config import State, state_of, written

#: From the blocks of `airflow.yml` and the runtime parameters to catalog entries.
Entries = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

_PATTERNS = {
    "globals": ["globals.yml", "*/globals.yml"],
    "mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"],
    "airflow": ["airflow*", "airflow/**", "**/airflow*"],
}
# Small, asked for again and again, and plain values.
_READ_ONCE = ("parameters", "airflow", "mlflow")
_wanted: ContextVar[frozenset[str] | None] = ContextVar("wanted_entries", default=None)


class SharedKeyError(ValueError):
    """Two configuration files define one key; which of them holds would be a matter of chance."""


@contextmanager
def entries_of(datasets: frozenset[str] | None) -> Iterator[None]:
    """Within it, a loader's catalog holds the entries of these datasets and all patterns; None: every entry.

    >>> with entries_of(frozenset({"rents"})):
    ...     session.run()  # doctest: +SKIP
    """
    token = _wanted.set(datasets)
    try:
        yield
    finally:
        _wanted.reset(token)


def _is_wanted(name: str) -> bool:
    wanted = _wanted.get()
    return wanted is None or name in wanted or "{" in name


class ConfigLoader(OmegaConfigLoader):
    """An OmegaConfigLoader that knows `airflow.yml` and `mlflow.yml`, in a folder per pipeline too.

    * A key that two files of one environment define is refused, one with a leading underscore too: Kedro merges files
      before it resolves them, in the order of a set, so that one file's value would hold for both.
    * A runtime parameter is a literal: OmegaConf would resolve `${…}` in what a form, a request or a command line says,
      and run any resolver of the project with it. Such a value is refused by the parameter's name; so is an address
      with a password or a signature, which logs and tags would show (see `plain_values`).
    * Parameters, `airflow.yml` and `mlflow.yml` are read once: Kedro, hooks and catalog ask for them up to three
      times a task. A loader is about one moment and one set of runtime parameters, as the session that has it.
    * Where the catalog lacks entries that blocks of `airflow.yml` ask for, they are added.
    * Files are parsed once a process and state (see `written_config`), except credentials. Of the catalog only what is
      wanted is resolved (`entries_of`), so that a task costs the same in a large project as in a small one.

    Args:
        more_entries: makes those entries.
        custom_resolvers: besides the library's.
        config_patterns: besides Kedro's and the library's.
        options: OmegaConfigLoader's.

    Raises:
        NotLiteralError: a runtime parameter holds `${…}`, or an address with a credential.
    """

    def __init__(
        self,
        conf_source: str,
        *,
        more_entries: Entries | None = None,
        custom_resolvers: Mapping[str, Callable[..., Any]] | None = None,
        config_patterns: Mapping[str, list[str]] | None = None,
        **options: Any,
    ) -> None:
        self._more_entries = more_entries
        self._read: dict[str, dict[str, Any]] = {}
        self._states: dict[str, State] = {}
        refuse_what_is_not_plain(options.get("runtime_params"))
        super().__init__(
            conf_source,
            custom_resolvers={**RESOLVERS, **(custom_resolvers or {})},
            config_patterns={**_PATTERNS, **(config_patterns or {})},
            merge_strategy={"parameters": "soft", **(options.pop("merge_strategy", None) or {})},
            **options,
        )

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind (`catalog`, `parameters`, `airflow`, …), resolved.

        Raises:
            SharedKeyError: two files define one key.
        """
        if key in _READ_ONCE and key not in self:
            if key not in self._read:
                self._read[key] = super().__getitem__(key)
            return deepcopy(self._read[key])
        try:
            found = super().__getitem__(key)
        except MissingConfigException:
            # A project whose last pipeline was deleted has no catalog any more.
            if key != "catalog":
                raise
            found = {}
        if key != "catalog" or self._more_entries is None:
            return found
        more = self._more_entries(self["airflow"], self.runtime_params or {})
        return {**{name: entry for name, entry in more.items() if _is_wanted(name)}, **found}

    def read_ahead(self) -> None:
        """Parse all files and resolve nothing: processes that are forked of this one need not parse them."""
        for kind in self.config_patterns:
            with suppress(MissingConfigException):
                self._read_raw_config(kind)

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Any,
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, Any]:
        def read() -> dict[Path, Any]:
            found: dict[Path, Any] = super(ConfigLoader, self)._read_dir_configs(
                conf_path, patterns, key, processed_files, read_environment_variables
            )
            return found

        # Secrets are not kept, and the state of an archive or of a store cannot be told.
        if key == "credentials" or self._protocol != "file":
            return read()
        if conf_path not in self._states:
            self._states[conf_path] = state_of(conf_path)
        kept = written((conf_path, key, *patterns, self.ignore_hidden), self._states[conf_path], read)
        processed_files |= kept.files
        if kept.merged is None:
            return {}
        if key == "parameters":
            # Kedro merges runtime parameters into it.
            return {Path(conf_path): deepcopy(kept.merged)}
        # Else a resolver that says `use_cache` would answer for another loader.
        OmegaConf.clear_cache(kept.merged)
        return {Path(conf_path): kept.merged}

    def _resolve_catalog_config(self, aggregate_config: Any) -> dict[str, Any]:
        if _wanted.get() is None:
            return dict(super()._resolve_catalog_config(aggregate_config))
        self._runtime_params_hits = set()
        merged: Any = OmegaConf.unsafe_merge(*aggregate_config)
        resolved: dict[str, Any] = {}
        for name in merged:
            if _is_wanted(str(name)):
                entry = merged[name]
                resolved[name] = OmegaConf.to_container(entry, resolve=True) if OmegaConf.is_config(entry) else entry
        self._guard_runtime_params_in_catalog_type(aggregate_config, resolved)
        return resolved

    def _check_duplicates(self, key: str, config_per_file: dict[Path, Any]) -> None:
        owners: dict[str, Path] = {}
        for path in sorted(config_per_file):
            for name in config_per_file[path] or {}:
                if str(name) in owners and key != "parameters":
                    first, second = (self._shown(one) for one in (owners[str(name)], path))
                    raise SharedKeyError(
                        f"{first} and {second} both define {name}; each file needs keys of its own: rename one, "
                        "or write its value where it is used"
                    )
                owners[str(name)] = path
        super()._check_duplicates(key, config_per_file)

    def _shown(self, path: Path) -> str:
        conf = Path(self.conf_source)
        return f"{conf.name}/{path.relative_to(conf)}" if path.is_relative_to(conf) else path.name
