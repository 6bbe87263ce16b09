"""`modelyard dataset push`: a data set from this computer to S3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.store.push import push_dataset
from modelyard_trainer.store.s3 import S3Store

from modelyard_cli.pushing import push_to


def push_here(folder: Path, uri: str, endpoint: str | None, region: str) -> int:
    """Upload and say how it went.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """

    def push(store: S3Store, tell: Callable[[str], None]) -> str:
        pushed = push_dataset(store, folder, tell, usable_cpus())
        return f"{pushed.files} files, {pushed.size:,} bytes at {pushed.uri}/, SHA256SUMS last"

    return push_to(uri, endpoint, region, called="uri", what="dataset", push=push)
