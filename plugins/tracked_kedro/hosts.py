"""Names under which a server of this deployment answers, so that a page of another site does not reach it by its own.

(DNS rebinding: a stranger's name that suddenly means 127.0.0.1 makes a browser ask us in that site's name.)
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

#: Names that are allowed besides, separated by commas; `*.example.org` stands for all below it, `*` for every name.
VARIABLE = "ALLOWED_HOSTS"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_NAME = re.compile(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]", re.ASCII)


def allowed_hosts(*addresses: str) -> list[str]:
    """Names of this machine's loopback, those of the addresses by which a server is known, and those of ALLOWED_HOSTS.

    Raises:
        ValueError: ALLOWED_HOSTS holds something that is no name, such as an address or a port.

    >>> allowed_hosts("https://rents.example/airflow")
    ['localhost', '127.0.0.1', '[::1]', 'rents.example']
    """
    known = [_bracketed(urlsplit(address).hostname or "") for address in addresses]
    more = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    for name in filter(None, more):
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{VARIABLE}: {name!r} is no name of a host; write names without scheme and port, separated by commas: "
                "rents.example,*.example.org"
            )
    return [*dict.fromkeys([*_LOOPBACK, *filter(None, known), *filter(None, more)])]


def known_by_name(app: Any, addresses: tuple[str, ...] = ()) -> Any:
    """An ASGI application that answers 400 to a request for any other name, and hands on the rest.

        app.add_middleware(known_by_name, addresses=("https://rents.example",))

    Args:
        app: any ASGI application.
        addresses: by which people and programs know it.
    """
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return TrustedHostMiddleware(app, allowed_hosts(*addresses), www_redirect=False)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
