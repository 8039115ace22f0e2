"""Messages and addresses as everybody may read them: without passwords, tokens and signatures that they may quote."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

_HIDDEN = "***"
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|_KEY$|^KEY$", re.I)
# Shorter values are too likely to be words of the message.
_SHORTEST = 6
_PATTERNS = (
    # user:password@ of an address
    (re.compile(r"(://)[^\s/'\"]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(bearer\s+|authorization['\"]?\s*[:=]\s*['\"]?basic\s+)[\w.~+/=-]+", re.I), rf"\1{_HIDDEN}"),
    # name=value, name: value, "name": "value", and the query of a signed address
    (
        re.compile(
            r"([\w.-]*(?:password|passwd|secret|token|credential|signature|api[_-]?key|access[_-]?key)[\w.-]*"
            r"['\"]?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}\]'\"]+)",
            re.I,
        ),
        rf"\1{_HIDDEN}",
    ),
)


def without_secrets(text: str) -> str:
    """The text with `***` for values of secret environment variables, and for whatever is written like a secret."""
    values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def public_url(url: str) -> str:
    """A URL without user, password and query, which may be a signature; a folder as it is."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
