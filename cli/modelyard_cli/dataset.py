"""`modelyard dataset push`: a data set from this computer to S3."""

from __future__ import annotations

from pathlib import Path

from modelyard_api.location import S3Location
from modelyard_api.outcome import EXIT_CODES, ExitCode
from modelyard_trainer.cpus import usable_cpus
from modelyard_trainer.errors import RunError
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.push import push_dataset
from pydantic import ValidationError
from rich.console import Console

_NO_SECRET = Path("/nonexistent")


def push_here(folder: Path, uri: str, endpoint: str | None, region: str) -> int:
    """Upload and say how it went.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """
    console = Console(stderr=True)
    try:
        location = S3Location(uri=uri, endpoint=endpoint, region=region)
    except ValidationError as error:
        for problem in error.errors():
            console.print(f"{problem['loc'][0]}: {problem['msg']}", style="red", markup=False, highlight=False)
        return ExitCode.USER_ERROR
    try:
        store = open_store(location, _NO_SECRET, in_cluster=False, what="dataset")
        with console.status("reading") as status:
            pushed = push_dataset(store, folder, status.update, usable_cpus())
    except RunError as error:
        console.print(f"{error.reason}: {error.message}", style="red", markup=False, highlight=False)
        return EXIT_CODES.get(error.reason, 1)
    console.print(
        f"{pushed.files} files, {pushed.size:,} bytes at {pushed.uri}/, SHA256SUMS last", markup=False, highlight=False
    )
    return ExitCode.SUCCESS
