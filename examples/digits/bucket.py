"""Move a folder into an S3 bucket, or back. The usual AWS_* variables say which service, and who asks.

python bucket.py upload /tmp/digits s3://datasets/digits/v1/
python bucket.py download s3://models/some/folder/ /tmp/models
python bucket.py make s3://models/
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CHECKSUMS = "SHA256SUMS"
CONNECTIONS = 16


class Bucket:
    """The objects below `s3://BUCKET/PREFIX`."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc:
            raise SystemExit(f"{uri} names no bucket; write s3://BUCKET/FOLDER/")
        self._name = parts.netloc
        self._prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        self._client = boto3.client("s3", config=Config(max_pool_connections=CONNECTIONS))

    def make(self) -> None:
        """Make the bucket unless it is there."""
        if self._name not in {bucket.get("Name") for bucket in self._client.list_buckets().get("Buckets", [])}:
            self._client.create_bucket(Bucket=self._name)

    def upload(self, folder: Path) -> int:
        """Put all files of `folder` below the prefix, SHA256SUMS last; return how many: 0 if that very set is there."""
        sums = folder / CHECKSUMS
        if sums.exists() and self._read(CHECKSUMS) == sums.read_bytes():
            return 0
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != sums]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda path: self._put(path, folder), files))
        if sums.exists():
            self._put(sums, folder)
        return len(files) + sums.exists()

    def download(self, folder: Path) -> list[tuple[str, int]]:
        """Get every object below the prefix into `folder`; return their names and sizes in bytes."""
        found = [
            (each["Key"].removeprefix(self._prefix), each["Size"])
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix)
            for each in page.get("Contents", [])
        ]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda entry: self._get(entry[0], folder), found))
        return found

    def _put(self, path: Path, folder: Path) -> None:
        self._client.upload_file(str(path), self._name, self._prefix + path.relative_to(folder).as_posix())

    def _get(self, name: str, folder: Path) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self._client.download_file(self._name, self._prefix + name, str(target))

    def _read(self, name: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._name, Key=self._prefix + name)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                return None
            raise


def main() -> None:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(description="Move a folder into an S3 bucket, or back.")
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("make", help="make a bucket")
    make.add_argument("uri")
    upload = actions.add_parser("upload", help="put a folder's files into a bucket, which is made if need be")
    upload.add_argument("folder", type=Path)
    upload.add_argument("uri")
    download = actions.add_parser("download", help="get a bucket's files into a folder")
    download.add_argument("uri")
    download.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    bucket = Bucket(arguments.uri)
    if arguments.action == "download":
        for name, size in bucket.download(arguments.folder):
            sys.stdout.write(f"{size:>12,}  {name}\n")
        return
    bucket.make()
    if arguments.action == "upload":
        count = bucket.upload(arguments.folder)
        sys.stdout.write(f"{count} files to {arguments.uri}\n" if count else f"{arguments.uri} is up to date\n")


if __name__ == "__main__":
    main()
