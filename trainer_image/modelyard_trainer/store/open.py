"""From a place in the spec to a store."""

from __future__ import annotations

from pathlib import Path

from modelyard_api.location import S3Location

from modelyard_trainer.store.access import Access, find_access
from modelyard_trainer.store.s3 import LIMITS, Limits, S3Store


def open_store(
    location: S3Location, credentials: Path, *, in_cluster: bool, what: str, limits: Limits = LIMITS
) -> S3Store:
    """The store that `location` names. Nothing is asked of it yet.

    Args:
        location: bucket, prefix and endpoint.
        credentials: folder with the files of the Secret, if there is one.
        in_cluster: whether a named Secret must be there.
        what: the block of the spec that names the place, for messages.
        limits: to what it is given of time.

    Raises:
        RunError: CredentialsMissing.
    """

    def find() -> Access:
        return find_access(location, credentials, in_cluster=in_cluster, what=what)

    bucket, _, prefix = location.uri.removeprefix("s3://").partition("/")
    return S3Store(find(), bucket, prefix.strip("/"), what, find, limits=limits)
