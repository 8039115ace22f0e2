"""Nodes of this pipeline: short names of datasets, and typed inputs that are wired by name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, get_type_hints

from kedro.pipeline import Node, node

from retraining.pipelines.climate_brazil.inputs import NAME, Inputs

# Of dataset names: the catalog is one name space for all pipelines.
PREFIX = "climate"


def named(*names: str) -> list[str]:
    """Datasets (`table`), parameters (`params:seed`) and what the library reads (`climate_brazil_evidence`) in full."""
    return [_in_full(name) for name in names]


def _in_full(name: str) -> str:
    if name.startswith("params:"):
        return f"params:{NAME}.{name.removeprefix('params:')}"
    return name if name.startswith(f"{NAME}_") else f"{PREFIX}_{name}"


def by_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with the fields of its `Inputs` arguments as arguments by keyword.

    Kedro hands every dataset to an argument of its own, and takes the type of a parameter from that argument: a node of
    eighteen datasets still has a few arguments that are objects.

    by_name(compare)(results=…, series_ids=…, months=…)  # compare(Scored(results, series_ids, …), RunFacts(months, …))

    Raises:
        TypeError: two arguments of the function would have one name.
    """
    hints = get_type_hints(function)
    returned = hints.pop("return", Any)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, Inputs)}
    fields = {name: [field.name for field in dataclasses.fields(kind)] for name, kind in groups.items()}  # type: ignore[arg-type]
    types: dict[str, Any] = {}
    for name, kind in hints.items():
        own = get_type_hints(kind) if name in groups else {name: kind}
        if twice := types.keys() & own.keys():
            raise TypeError(f"{function.__name__} would have two inputs called {', '.join(sorted(twice))}")
        types |= own

    @wraps(function)
    def wired(**values: Any) -> Any:
        made = {name: groups[name](**{one: values.pop(one) for one in ones}) for name, ones in fields.items()}
        return function(**made, **values)

    wired.__annotations__ = types | {"return": returned}
    by_keyword = inspect.Parameter.KEYWORD_ONLY
    wired.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, by_keyword, annotation=kind) for name, kind in types.items()]
    )
    return wired


def wire(
    function: Callable[..., Any], inputs: Sequence[str] | Mapping[str, str], outputs: Sequence[str], name: str
) -> Node:
    """A node, given short names.

    Args:
        function: of the node.
        inputs: datasets in the order of the function's arguments; or dataset by argument, for a function that takes
            `Inputs` (see `by_name`).
        outputs: datasets in the order of what the function returns.
        name: of the node.
    """
    results = named(*outputs)
    # Kedro takes one name for a node that returns one thing, a list for a node that returns a tuple.
    returned = (results[0] if len(results) == 1 else results) or None
    if isinstance(inputs, Mapping):
        return node(
            by_name(function), {argument: _in_full(one) for argument, one in inputs.items()}, returned, name=name
        )
    return node(function, named(*inputs), returned, name=name)
