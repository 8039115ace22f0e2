"""Secrets of a container of the stack: files that Compose mounts."""

from __future__ import annotations

import configparser
from pathlib import Path

SECRETS = Path("/run/secrets")


def text(name: str, folder: Path = SECRETS) -> str:
    """A secret that is one word, such as a password."""
    return (folder / name).read_text().strip()


def s3_key(name: str, folder: Path = SECRETS) -> tuple[str, str]:
    """Name and secret of an S3 key that lies in the file format of AWS's clients."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((folder / name).read_text())
    return parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]
