"""`modelyard weights push`: a file of weights from this computer to S3."""

from __future__ import annotations

import re
from pathlib import Path

from modelyard_api.location import S3Location
from modelyard_api.outcome import EXIT_CODES, ExitCode
from modelyard_trainer.errors import RunError
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.push_weights import push_weights
from pydantic import ValidationError
from rich.console import Console

_NO_SECRET = Path("/nonexistent")
_NAME = re.compile("[a-z0-9]([-a-z0-9._]*[a-z0-9])?")


def push_here(file: Path, name: str, to: str, endpoint: str | None, region: str) -> int:
    """Upload, and say how a run refers to it.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """
    console = Console(stderr=True)
    if not _NAME.fullmatch(name):
        console.print(
            f"--name: {name!r} must be lower-case letters, digits, dots, hyphens and underscores, such as "
            "resnet18-imagenet",
            style="red",
            markup=False,
            highlight=False,
        )
        return ExitCode.USER_ERROR
    try:
        location = S3Location(uri=f"{to.rstrip('/')}/{name}/", endpoint=endpoint, region=region)
    except ValidationError as error:
        for problem in error.errors():
            console.print(f"--to: {problem['msg']}", style="red", markup=False, highlight=False)
        return ExitCode.USER_ERROR
    try:
        store = open_store(location, _NO_SECRET, in_cluster=False, what="model.pretrained")
        with console.status("reading") as status:
            pushed = push_weights(store, file, status.update)
    except RunError as error:
        console.print(f"{error.reason}: {error.message}", style="red", markup=False, highlight=False)
        return EXIT_CODES.get(error.reason, 1)
    state = "" if pushed.new else ", which was there already"
    console.print(
        f"{pushed.tensors} tensors, {pushed.size:,} bytes at {pushed.uri}/{pushed.sha256}/{state}\n"
        "a run starts from it with\n"
        "  model:\n"
        "    pretrained:\n"
        f"      s3: {{uri: {pushed.uri}/, secretRef: {{name: ...}}}}\n"
        f"      sha256: {pushed.sha256}",
        markup=False,
        highlight=False,
    )
    return ExitCode.SUCCESS
