"""One bucket and prefix of an S3 store, with errors that say what would be right."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from modelyard_trainer.errors import RunError
from modelyard_trainer.files import CHUNK
from modelyard_trainer.store.access import Access
from modelyard_trainer.store.errors import code_of, explain

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THREADS = 16
"""Objects that are transferred at once; most are small, so that latency, not bandwidth, is what is waited for."""
_PART = 32 << 20
_READ_ATTEMPTS = 5
_PARTIAL_CONTENT = 206
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
_PRECONDITION = frozenset({"412", "409", "PreconditionFailed", "ConditionalRequestConflict"})
_UNSUPPORTED = frozenset({"501", "NotImplemented", "InvalidArgument", "InvalidRequest", "400"})
_log = logging.getLogger("modelyard.store")


class PreconditionFailedError(Exception):
    """Somebody else wrote the object first."""


class ConditionUnsupportedError(Exception):
    """The store does not know conditional writes."""


@dataclass(frozen=True)
class Limits:
    """How long a request is waited for, in seconds, and how often it is made before the store counts as away."""

    connect: float = 5.0
    read: float = 60.0
    """Between two bytes of an answer, or until the first."""
    attempts: int = 5


LIMITS = Limits()


@dataclass(frozen=True)
class Stored:
    """An object that was listed: its key, without the store's prefix, and its size in bytes."""

    key: str
    size: int


class S3Store:
    """Objects below `prefix` of `bucket`. Keys are relative to the prefix. Safe to use from several threads.

    Every method may raise `RunError` with BucketNotFound, CredentialsMissing, CredentialsRefused or StoreUnreachable.
    """

    def __init__(
        self,
        access: Access,
        bucket: str,
        prefix: str,
        what: str,
        find_again: Callable[[], Access] | None = None,
        *,
        limits: Limits = LIMITS,
    ) -> None:
        self._access, self._bucket, self._prefix, self._what = access, bucket, prefix, what
        self._limits = limits
        self._client = _client(access, limits)
        self._find_again = find_again

    def renew(self) -> None:
        """Look for other credentials: those of a session expire, and the kubelet mounts new ones in their place.

        Where there are none just now, those from before are kept.
        """
        try:
            access = self._find_again() if self._find_again else self._access
        except RunError as error:
            _log.info("%s", error.message)
            return
        if access != self._access:
            self._access, self._client = access, _client(access, self._limits)

    def uri(self, key: str = "") -> str:
        """`s3://bucket/prefix/key`."""
        return "/".join(part for part in (f"s3://{self._bucket}", self._prefix, key) if part)

    def list(self, below: str = "") -> Iterator[Stored]:
        """Every object whose key begins with `below`, in the order of keys."""
        folder = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder + below)
        with self._explained(self.uri(below)):
            for page in pages:
                for found in page.get("Contents", []):
                    yield Stored(found["Key"].removeprefix(folder), found["Size"])

    def read(self, key: str) -> tuple[bytes, str] | None:
        """An object's bytes and its ETag; None where there is none."""
        with self._explained(self.uri(key)):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            except ClientError as error:
                if code_of(error) in _NOT_FOUND:
                    return None
                raise
            return answer["Body"].read(), answer["ETag"]

    def download(self, key: str, path: Path, count: Callable[[int], None]) -> str | None:
        """Write an object to `path`, whole or not at all; None where there is no such object.

        A connection that breaks off is taken up again where it broke.

        Returns:
            The SHA-256 of the bytes, taken while they were written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        digest, done, etag = hashlib.sha256(), 0, ""
        with self._explained(self.uri(key)), unfinished.open("wb") as file:
            for attempt in range(1, _READ_ATTEMPTS + 1):
                rest: dict[str, Any] = {"Range": f"bytes={done}-", "IfMatch": etag} if done else {}
                try:
                    answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key), **rest)
                    if done and answer["ResponseMetadata"]["HTTPStatusCode"] != _PARTIAL_CONTENT:
                        # The store sends all of it again, whatever part it was asked for.
                        file.seek(0)
                        file.truncate()
                        digest, done = hashlib.sha256(), 0
                    etag, wanted = answer["ETag"], done + answer["ContentLength"]
                    for chunk in answer["Body"].iter_chunks(CHUNK):
                        file.write(chunk)
                        digest.update(chunk)
                        done += len(chunk)
                        count(len(chunk))
                    if done == wanted:
                        break
                except ClientError as error:
                    if code_of(error) in _NOT_FOUND:
                        unfinished.unlink(missing_ok=True)
                        return None
                    raise
                except (BotoCoreError, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError):
                    if attempt == _READ_ATTEMPTS:
                        raise
                    _log.info("%s broke off after %d bytes, taking it up again", self.uri(key), done)
                    time.sleep(0.2 * 2**attempt)
        unfinished.replace(path)
        return digest.hexdigest()

    def upload(self, path: Path, key: str, count: Callable[[int], None] = lambda _bytes: None) -> None:
        """Write a file as an object, in parts where it is large; the parts of a failed upload are removed."""
        config = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)
        with self._explained(self.uri(key)):
            self._client.upload_file(str(path), self._bucket, self._key(key), Config=config, Callback=count)
            size = self._client.head_object(Bucket=self._bucket, Key=self._key(key))["ContentLength"]
        if size != path.stat().st_size:
            raise explain(OSError(f"it holds {size} bytes"), self._what, self.uri(key), self._access.address)

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""
        with self._explained(self.uri(key)):
            self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content)

    def write_if(self, key: str, content: bytes, etag: str | None) -> None:
        """Write a small object only if it is still the one with this ETag; with None, only if there is none.

        Raises:
            PreconditionFailedError: it is not.
            ConditionUnsupportedError: the store does not know such conditions.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._explained(self.uri(key)):
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content, **condition)
            except ClientError as error:
                if code_of(error) in _PRECONDITION:
                    raise PreconditionFailedError(self.uri(key)) from error
                if code_of(error) in _UNSUPPORTED:
                    raise ConditionUnsupportedError(self.uri(key)) from error
                raise

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        with self._explained(self.uri(key)):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(key))

    def abort_uploads(self, below: str, besides: str | None = None) -> None:
        """Remove the parts of uploads to keys below `below` that were never completed, but for those below `besides`.

        A process that was killed leaves such parts, which nobody sees and everybody pays for. Not every store knows of
        them, and no training ends because they stay.
        """
        try:
            self._abort_uploads(below, besides)
        except RunError as error:
            _log.info("unfinished uploads were not looked for: %s", error.message)

    def _abort_uploads(self, below: str, besides: str | None) -> None:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._key(below)
        )
        with self._explained(self.uri(below)):
            for page in pages:
                for begun in page.get("Uploads", []):
                    if besides is None or not begun["Key"].startswith(self._key(besides)):
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=begun["Key"], UploadId=begun["UploadId"]
                        )

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    @contextmanager
    def _explained(self, where: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error, urllib3.exceptions.HTTPError) as error:
            explained = explain(_cause(error), self._what, where, self._access.address)
            raise RunError(explained.reason, self._access.without_credentials(explained.message)) from error


def _cause(error: Exception) -> Exception:
    """boto3's transfers wrap what the store said into an error of their own."""
    inner = error.__cause__ or error.__context__
    return inner if isinstance(error, boto3.exceptions.Boto3Error) and isinstance(inner, Exception) else error


def _client(access: Access, limits: Limits) -> S3Client:
    config = Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
        max_pool_connections=THREADS * 2,
        # Stores of other makes know no bucket as a host name, and not all of them the newer checksums.
        s3={"addressing_style": "path" if access.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="modelyard",
    )
    session = boto3.session.Session(
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
        aws_session_token=access.token,
        region_name=access.region,
    )
    return session.client("s3", endpoint_url=access.endpoint, config=config)
