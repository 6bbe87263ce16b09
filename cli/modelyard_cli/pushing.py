"""What every `push` does alike: a store by its URI, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modelyard_api.location import S3Location
from modelyard_api.outcome import EXIT_CODES, ExitCode
from modelyard_trainer.errors import RunError
from modelyard_trainer.store.open import open_store
from modelyard_trainer.store.s3 import S3Store
from pydantic import ValidationError
from rich.console import Console

_NO_SECRET = Path("/nonexistent")
Push = Callable[[S3Store, Callable[[str], None]], str]
"""Uploads, says how far it has come, and gives what is to be said in the end."""


def push_to(uri: str, endpoint: str | None, region: str, *, called: str, what: str, push: Push) -> int:
    """Upload and say how it went.

    Args:
        uri: bucket and prefix.
        endpoint: address of the S3 service, where it is not the environment's.
        region: that requests are signed for.
        called: what the command line calls the URI.
        what: the block of the spec that will name the place, for messages.
        push: uploads.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """
    console = Console(stderr=True)
    try:
        location = S3Location(uri=uri, endpoint=endpoint, region=region)
    except ValidationError as error:
        for problem in error.errors():
            field = problem["loc"][0]
            _complain(console, f"{called if field == 'uri' else field}: {problem['msg']}")
        return ExitCode.USER_ERROR
    try:
        store = open_store(location, _NO_SECRET, in_cluster=False, what=what)
        with console.status("reading") as status:
            said = push(store, status.update)
    except RunError as error:
        _complain(console, f"{error.reason}: {error.message}")
        return EXIT_CODES.get(error.reason, 1)
    console.print(said, markup=False, highlight=False)
    return ExitCode.SUCCESS


def refuse(message: str) -> int:
    """Say what is wrong with the command line; gives the exit code."""
    _complain(Console(stderr=True), message)
    return ExitCode.USER_ERROR


def _complain(console: Console, message: str) -> None:
    console.print(message, style="red", markup=False, highlight=False)
