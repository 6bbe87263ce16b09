"""`modelyard weights push`: a file of weights from this computer to S3."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from modelyard_trainer.store.push_weights import push_weights
from modelyard_trainer.store.s3 import S3Store

from modelyard_cli.pushing import push_to, refuse

_NAME = re.compile("[a-z0-9]([-a-z0-9._]*[a-z0-9])?")


def push_here(file: Path, name: str, to: str, endpoint: str | None, region: str) -> int:
    """Upload, and say how a run refers to it.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """
    if not _NAME.fullmatch(name):
        return refuse(
            f"--name: {name!r} must be lower-case letters, digits, dots, hyphens and underscores, such as "
            "resnet18-imagenet"
        )

    def push(store: S3Store, tell: Callable[[str], None]) -> str:
        pushed = push_weights(store, file, tell)
        state = "" if pushed.new else ", which was there already"
        return (
            f"{pushed.tensors} tensors, {pushed.size:,} bytes at {pushed.uri}/{pushed.sha256}/{state}\n"
            "a run starts from it with\n"
            "  model:\n"
            "    pretrained:\n"
            f"      s3: {{uri: {pushed.uri}/, secretRef: {{name: ...}}}}\n"
            f"      sha256: {pushed.sha256}"
        )

    return push_to(f"{to.rstrip('/')}/{name}/", endpoint, region, called="--to", what="model.pretrained", push=push)
