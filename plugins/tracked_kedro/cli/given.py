"""What a person gave to a run as NAME=VALUE, read and checked against the DAG's block before anything starts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from tracked_kedro.errors import did_you_mean


@dataclass(frozen=True)
class Given:
    """Parameters of a DAG run.

    Attributes:
        conf: values by parameter.
        words: what the person typed each parameter as, for messages: a variable of make, or the parameter itself.
    """

    conf: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def complaint(self, message: str) -> str:
        """The message with the name of the variable that its parameter was given by.

        >>> Given({"n": 0}, {"n": "ROWS"}).complaint("lettings.n: 0 is too small")
        'ROWS: lettings.n: 0 is too small'
        """
        named = [word for parameter, word in self.words.items() if parameter in message and word != parameter]
        return f"{named[0]}: {message}" if len(named) == 1 else message


def read(
    dag: str, block: Mapping[str, Any], texts: Sequence[str], variables: Sequence[str], environment: Mapping[str, str]
) -> Given:
    """Read what a person gave, and check it against the fields of the DAG's form.

    Args:
        dag: id of the DAG.
        block: its block of airflow.yml, completed.
        texts: parameters of the DAG run as NAME=VALUE.
        variables: names of variables on make's command line; their values stand in the environment.
        environment: of this process.

    Raises:
        click.ClickException: naming the variable or parameter that cannot be used, and what can.
    """
    from_variables = from_make(dag, block, variables, environment)
    given = Given()
    for text, word in [*((text, word) for word, text in from_variables.items()), *((text, "") for text in texts)]:
        name, value = _setting(text, block["params"])
        given.conf[name], given.words[name] = value, word or name
    for name, value in given.conf.items():
        _check(given.words[name], value, block["params"][name])
    return given


def from_make(
    dag: str, block: Mapping[str, Any], given: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """What a person gave to make: by variable, the parameter of the DAG run as NAME=VALUE.

    The block's `make` maps a variable to the parameter that it sets, or to {parameter, path: true} where a relative
    path starts at the folder that make was called in.

    Args:
        dag: id of the DAG.
        block: its block of airflow.yml.
        given: names of the variables on make's command line; their values, and those of other variables that the block
            takes, stand in the environment.
        environment: of this process.

    Raises:
        click.ClickException: the DAG takes no such variable, or nothing is where a path leads.
    """
    takes = block.get("make") or {}
    if unknown := [name for name in given if name not in takes]:
        known = ", ".join(takes) or "no variable of its own"
        raise click.ClickException(
            f"{dag} takes no {unknown[0]}; it takes {known} (and DAG=, VAR=){did_you_mean(str(unknown[0]), takes)}"
        )
    found = {}
    for name, target in takes.items():
        value = environment.get(name, "")
        if not value:
            continue
        parameter, is_path = (target, False) if isinstance(target, str) else (target["parameter"], target.get("path"))
        found[name] = f"{parameter}={_existing(name, value) if is_path and '://' not in value else value}"
    return found


def sources(block: Mapping[str, Any]) -> list[str]:
    """DAG parameters that name files: the block's `make` marks their variables with `path`."""
    marked = [target for target in (block.get("make") or {}).values() if isinstance(target, Mapping)]
    return [target["parameter"] for target in marked if target.get("path")]


def _setting(text: str, specs: Mapping[str, Any]) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or name not in specs:
        raise click.ClickException(f"{text!r} is not NAME=VALUE with a NAME among {', '.join(specs)}")
    if "array" in (specs[name].get("type") or ()):
        return name, [part.strip() for part in value.split(",") if part.strip()]
    if specs[name].get("type") in ("string", ["null", "string"]):
        return name, value
    with contextlib.suppress(json.JSONDecodeError):
        return name, json.loads(value)
    return name, value


def _check(word: str, value: Any, spec: Mapping[str, Any]) -> None:
    """Refuse what Airflow's form would refuse: a choice that is not offered, a wrong type, a number out of bounds."""
    import jsonschema

    if choices := spec.get("choices"):
        if unknown := [one for one in value if one not in choices]:
            hint = did_you_mean(str(unknown[0]), choices)
            raise click.ClickException(f"{word}: there is no {unknown[0]!r}; known are {', '.join(choices)}{hint}")
        return
    # A pattern is there for what would run or tell a secret, which is refused where the text is used, and is not shown.
    schema = {key: spec[key] for key in spec.keys() - {"pattern", "default"}}
    try:
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker(["date"]))
    except jsonschema.ValidationError as error:
        raise click.ClickException(f"{word}: {_plain(error)}") from None


def _plain(error: Any) -> str:
    if error.validator == "enum":
        return f"{error.instance!r} is none of {', '.join(map(str, error.validator_value))}"
    if error.validator == "format":
        return f"{error.instance!r} is no {error.validator_value} (YYYY-MM-DD)"
    return str(error.message)


def _existing(name: str, value: str) -> Path:
    """A path that a variable of make names, absolute."""
    path = Path(value).resolve()
    # An expression is refused by the name of its parameter, with all other values.
    if "${" not in value and not path.exists():
        raise click.ClickException(f"{name}={value}: there is no such file or folder, seen from {Path.cwd()}")
    return path
