"""What a hosted project's process finds in its environment: MLflow's and the data store's credentials, nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from tracked_kedro.kedro_side.locations import data_root
from tracked_kedro.kedro_side.project_config import LOGGING

#: The machine, its languages and its network.
MACHINE = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "LD_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "DO_NOT_TRACK",
    "KEDRO_DISABLE_TELEMETRY",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "MALLOC_ARENA_MAX",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "GIT_PYTHON_REFRESH",
]
# The client's of MLflow; what a server is told stays where it is.
_MLFLOW = [
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR",
    "MLFLOW_S3_ENDPOINT_URL",
    "MLFLOW_S3_IGNORE_TLS",
]
_STORE = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CA_BUNDLE",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
]


def child_environment(
    tracking_uri: str, more: Iterable[str] = (), source: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of a hosted project's process.

    Args:
        tracking_uri: MLflow's address.
        more: variables that the project's block names.
        source: the environment that they are taken from.
    """
    wanted = [*MACHINE, *_MLFLOW, *(_STORE if "://" in data_root() else ()), *more]
    return {
        **{name: source[name] for name in wanted if name in source},
        "MLFLOW_TRACKING_URI": tracking_uri,
        # What may be loaded here and nowhere else asks for it.
        "HOSTED_PROJECT_PROCESS": "1",
        # Levels only: its records go to the task's log.
        "KEDRO_LOGGING_CONFIG": str(LOGGING),
        # No file of the project is changed, and none is made beside its own.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "Agg",
    }
