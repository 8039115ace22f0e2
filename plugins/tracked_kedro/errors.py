"""Errors by what a retry can do about them. Light to import: a DAG's retry policy names these classes.

    TrackedKedroError
    ├── PermanentError          the same input fails again: bad data, bad configuration
    └── UnavailableError        a server or store did not answer: worth another try later
"""


class TrackedKedroError(Exception):
    """Base of the bridge's errors."""


class PermanentError(TrackedKedroError):
    """Trying again cannot help: data or configuration has to change first."""


class UnavailableError(TrackedKedroError):
    """The tracking server, its database or the object store did not answer."""


def classified(error: BaseException) -> BaseException:
    """The error as Airflow's retry policy should see it; the original stays its cause.

    Errors of the Python family ValueError, KeyError and TypeError, and Kedro's own, speak of data or configuration;
    network errors, wherever they stand in the chain of causes, of an unavailable part. Others stay as they are
    and take Airflow's usual retries.
    """
    chain = list(_chain(error))
    if any(_is_network_error(link) for link in chain):
        return UnavailableError(f"{_summary(chain)}. Is the tracking server or object store up? It will be tried again.")
    if any(isinstance(link, (ValueError, KeyError, TypeError, FileNotFoundError, PermissionError)) for link in chain):
        return PermanentError(_summary(chain))
    return error


def _chain(error: BaseException | None):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_network_error(error: BaseException) -> bool:
    # By name, because these libraries must not be imported where nothing of theirs was raised.
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    return bool(
        names
        & {
            "requests.ConnectionError",
            "requests.Timeout",
            "urllib3.HTTPError",
            "botocore.HTTPClientError",
            "botocore.EndpointConnectionError",
            "sqlalchemy.OperationalError",
            "psycopg2.OperationalError",
        }
    )


def _summary(chain: list[BaseException]) -> str:
    first = chain[0]
    return f"{type(first).__name__}: {first}"
