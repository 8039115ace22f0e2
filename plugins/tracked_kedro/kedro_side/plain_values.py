"""What a value from outside must not hold: an expression of the configuration, or an address with a credential in it.

One pattern says it, in the words that Python and JSON schema share: Airflow refuses by it what a form or a request
says, before it stores that; the configuration loader refuses by it what comes any other way. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_INTERPOLATION = r"\$\{"
# What follows `://` is a host or bucket, and perhaps a port; a user, a password or something that hides one is not.
_AUTHORITY = r"(?:\[[0-9A-Fa-f:.]*\]|[^/?#:@%\[\]\s\\]*)(?::\d*)?"
_USER = rf":/{{2,}}(?!/|{_AUTHORITY}(?:[/?#\s]|$))"
# Stems of the names that stores and signed addresses give to secrets; a name with an escape could be any of them.
_STEMS = ("sig", "token", "secret", "pass", "pwd", "cred", "key", "auth", "jwt", "sas", "session", "x-amz", "x-goog")
_NAMES = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in stem) for stem in _STEMS)
_QUERY = rf"://\S*[?&;#][^=&;#\s]*(?:{_NAMES}|%)[^=&;#\s]*="

#: JSON schema's `pattern` of a string that holds neither.
PLAIN = rf"^(?![\s\S]*(?:{_INTERPOLATION}|{_USER}|{_QUERY}))[\s\S]*$"


class NotLiteralError(ValueError):
    """A value from outside asks to be interpolated, or holds a credential; the message names the parameter alone."""


def fault(value: str) -> str | None:
    """Why a value is refused, with the remedy and never with a part of the value; None where it is plain.

    >>> fault("https://host/stations/{file}?year=2019") is None
    True
    >>> str(fault("s3://key:password@bucket"))[:71]
    'an address must not hold a user, a password, a token or a signature; pu'
    """
    if re.search(_INTERPOLATION, value):
        return (
            "a value from outside is taken as it is written, and this one holds ${…}, which configuration alone may "
            "use; write the value itself, or put the expression into conf/"
        )
    return credential_fault(value)


def credential_fault(value: str) -> str | None:
    """The same for a value of the configuration, which may hold an expression."""
    if re.search(_USER, value) or re.search(_QUERY, value):
        return (
            "an address must not hold a user, a password, a token or a signature; put them into credentials.yml of "
            "conf/local and name it in the catalog entry (docs/operations.md), or give the processes "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return None


def refuse_what_is_not_plain(value: Any, name: str = "") -> None:
    """Look through a value from outside, however deep its texts lie.

    Args:
        value: a text, or mappings and lists of them.
        name: of the parameter, dotted.

    Raises:
        NotLiteralError: naming the parameter.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            refuse_what_is_not_plain(key, name or "a parameter's name")
            refuse_what_is_not_plain(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple | set):
        for inner in value:
            refuse_what_is_not_plain(inner, name)
    elif isinstance(value, str) and (why := fault(value)):
        raise NotLiteralError(f"{name}: {why}")
