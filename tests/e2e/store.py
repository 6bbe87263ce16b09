"""The S3 server of the cluster, as the person who uploads data and downloads models uses it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from modelyard_api.layout import CHECKSUMS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 8


@dataclass(frozen=True)
class Store:
    """Buckets and objects, named by s3://BUCKET/KEY."""

    client: S3Client

    def make_bucket(self, name: str) -> None:
        """Have a bucket of that name."""
        if name not in {bucket.get("Name") for bucket in self.client.list_buckets().get("Buckets", [])}:
            self.client.create_bucket(Bucket=name)

    def keys(self, uri: str) -> list[str]:
        """The keys of all objects below a URI, in order."""
        bucket, prefix = _parts(uri)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def read(self, uri: str) -> bytes:
        """The bytes of one object."""
        bucket, key = _parts(uri)
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, uri: str, content: bytes) -> None:
        """Put one object there, whatever was there before."""
        bucket, key = _parts(uri)
        self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def upload(self, folder: Path, uri: str) -> None:
        """Put a folder's files below a URI, SHA256SUMS last; nothing is done where that very list is there already."""
        bucket, prefix = _parts(uri)
        sums = folder / CHECKSUMS
        if self._holds(bucket, f"{prefix}{CHECKSUMS}", sums):
            return
        paths = [path for path in folder.rglob("*") if path.is_file() and path != sums]

        def put(path: Path) -> None:
            key = prefix + path.relative_to(folder).as_posix()
            self.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(put, paths))
        put(sums)

    def download(self, uri: str, folder: Path) -> None:
        """Bring every object below a URI into a folder."""
        bucket, prefix = _parts(uri)
        for key in self.keys(uri):
            target = folder / key.removeprefix(prefix).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(bucket, key, str(target))

    def unfinished(self, uri: str) -> list[str]:
        """The keys below a URI of uploads in parts that were begun, and neither completed nor aborted."""
        bucket, prefix = _parts(uri)
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Uploads", [])]

    def digests(self, uri: str) -> dict[str, str]:
        """SHA-256 of every object below a URI, by its key there."""
        bucket, prefix = _parts(uri)
        return {
            key.removeprefix(prefix).lstrip("/"): hashlib.sha256(self.read(f"s3://{bucket}/{key}")).hexdigest()
            for key in self.keys(uri)
        }

    def _holds(self, bucket: str, key: str, file: Path) -> bool:
        try:
            return self.read(f"s3://{bucket}/{key}") == file.read_bytes()
        except ClientError:
            return False


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
