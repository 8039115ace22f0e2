"""Errors by what a retry can do about them. Light to import: a DAG's retry policy names these classes.

TrackedKedroError
├── PermanentError          the same input fails again: bad data, bad configuration
│   └── RefusedInputError   a file that was there when the run began, and could not be kept
└── UnavailableError        a server or store did not answer: worth another try later
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches


class TrackedKedroError(Exception):
    """Base of the bridge's errors."""


class PermanentError(TrackedKedroError):
    """Trying again cannot help: data or configuration has to change first."""


class RefusedInputError(PermanentError):
    """A file that was there when the run began, and could not be kept; the message says why."""


class UnavailableError(TrackedKedroError):
    """The tracking server, its database or the object store did not answer."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a refusal that names the nearest of what is known; empty where nothing is near.

    >>> did_you_mean("bon", ["berlin", "bonn"])
    '; did you mean bonn?'
    """
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


# By name, because these libraries must not be imported where nothing of theirs was raised.
_NETWORK_ERRORS = {
    "requests.ConnectionError",
    "requests.Timeout",
    "urllib3.HTTPError",
    "botocore.HTTPClientError",
    "botocore.EndpointConnectionError",
    "sqlalchemy.OperationalError",
    "psycopg2.OperationalError",
}
_CONFIGURATION_ERRORS = {"kedro.MissingConfigException", "kedro.DatasetNotFoundError"}


def classified(error: BaseException) -> BaseException:
    """The error as Airflow's retry policy should see it; the original stays its cause.

    Network errors, wherever they stand in the chain, speak of an unavailable part. ValueError, KeyError, TypeError,
    missing files and missing configuration speak of data or configuration when they are the error itself or its
    declared cause (`raise … from`); one that was merely being handled is no reason. Others stay as they are and take
    Airflow's usual retries.
    """
    if isinstance(error, TrackedKedroError):
        return error
    message = f"{type(error).__name__}: {error}"
    if any(_is_network_error(link) for link in _chain(error, handled=True)):
        return UnavailableError(f"{message}. Is the tracking server or object store up? Try again once it is.")
    if any(_is_bad_input(link) for link in _chain(error, handled=False)):
        return PermanentError(message)
    return error


def _chain(error: BaseException, handled: bool) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (link.__context__ if handled else None)


def _is_network_error(error: BaseException) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError)) or bool(_names(error) & _NETWORK_ERRORS)


def _is_bad_input(error: BaseException) -> bool:
    kinds = (ValueError, KeyError, TypeError, FileNotFoundError, PermissionError)
    return isinstance(error, kinds) or bool(_names(error) & _CONFIGURATION_ERRORS)


def _names(error: BaseException) -> set[str]:
    return {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
