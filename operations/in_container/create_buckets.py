"""`create-buckets`: the stack's buckets, and for each a key that reaches nothing else. May be run again at any time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from operations.in_container.secret_files import SECRETS, s3_key, text

_ON_BUCKET = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
_ON_OBJECTS = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
]


def create(environment: dict[str, str], secrets: Path = SECRETS) -> None:
    """Make what is missing, set the keys' policies, and try them.

    Args:
        environment: AWS_ENDPOINT_URL, OBJECT_STORE_ROOT_USER, ARTIFACT_BUCKET, DATA_BUCKET.
        secrets: folder with the root password and the two keys.

    Raises:
        click.ClickException: a key reaches the other key's bucket, so the store enforces no policies.
    """
    endpoint = environment["AWS_ENDPOINT_URL"]
    root = (environment["OBJECT_STORE_ROOT_USER"], text("object_store_root_password", secrets))
    keys = {
        environment["ARTIFACT_BUCKET"]: s3_key("artifact_store_credentials", secrets),
        environment["DATA_BUCKET"]: s3_key("data_store_credentials", secrets),
    }
    if len(keys) != 2:
        raise click.ClickException("ARTIFACT_BUCKET and DATA_BUCKET are the same; give them two names in .env")
    for bucket, key in keys.items():
        _bucket(_client(endpoint, root), bucket)
        _allow(endpoint, root, key, bucket)
    for bucket, key in keys.items():
        for other in keys.keys() - {bucket}:
            _refused(endpoint, key, other)
        _client(endpoint, key).list_objects_v2(Bucket=bucket, MaxKeys=1)
        click.echo(f"Bucket {bucket}: reached by key {key[0]}, which reaches no other")


def policy(bucket: str) -> dict[str, Any]:
    """Read and write in one bucket, and nothing else."""
    name = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": _ON_BUCKET, "Resource": [name]},
            {"Effect": "Allow", "Action": _ON_OBJECTS, "Resource": [f"{name}/*"]},
        ],
    }


def _client(endpoint: str, key: tuple[str, str]) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        region_name="us-east-1",
    )


def _bucket(client: Any, name: str) -> None:
    """Make the bucket unless it is there: making it twice is an error to some stores."""
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        client.create_bucket(Bucket=name)


def _allow(endpoint: str, root: tuple[str, str], key: tuple[str, str], bucket: str) -> None:
    """Make the key, and let it reach the bucket; RustFS answers the same calls as MinIO."""
    from minio import MinioAdmin
    from minio.credentials import StaticProvider

    address = urlsplit(endpoint)
    admin = MinioAdmin(endpoint=address.netloc, credentials=StaticProvider(*root), secure=address.scheme == "https")
    name = f"only-{bucket}"
    admin.policy_add(name, policy=policy(bucket))
    admin.user_add(*key)
    admin.policy_set(name, user=key[0])


def _refused(endpoint: str, key: tuple[str, str], bucket: str) -> None:
    from botocore.exceptions import ClientError

    try:
        _client(endpoint, key).list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return
        raise
    raise click.ClickException(
        f"The store at {endpoint} lets key {key[0]} into bucket {bucket}: it enforces no policies"
    )


def run() -> None:
    """Make the buckets and keys of the stack this container belongs to."""
    create(dict(os.environ))
