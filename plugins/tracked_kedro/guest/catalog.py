"""The configuration of a hosted project's catalog, dataset by dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def resolved(catalog: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Configuration of each dataset that has an entry, or that a pattern of the catalog fits; credentials by name."""
    from kedro.io import CatalogConfigResolver

    patterns = {key: value for key, value in catalog.items() if CatalogConfigResolver.is_pattern(key)}
    # Kedro puts credentials into patterns: each by its own name leaves it standing there.
    credentials: dict[str, Any] = {name: name for name in _credentials(patterns)}
    resolver = CatalogConfigResolver(
        config=patterns,
        credentials=credentials,
        default_runtime_patterns={"{default}": {"type": "MemoryDataset"}},
    )
    found = {}
    for name in sorted(set(names)):
        if name in catalog:
            found[name] = catalog[name]
        elif resolver.match_dataset_pattern(name) or resolver.match_user_catch_all_pattern(name):
            found[name] = resolver.resolve_pattern(name)
    return found


def is_parameter(name: str) -> bool:
    """Whether an input of a node is Kedro's parameters, or one of them."""
    return name == "parameters" or name.startswith("params:")


def _credentials(config: Any) -> set[str]:
    if not isinstance(config, Mapping):
        return set()
    own = {value for key, value in config.items() if key == "credentials" and isinstance(value, str)}
    return own.union(*(_credentials(value) for value in config.values()))
