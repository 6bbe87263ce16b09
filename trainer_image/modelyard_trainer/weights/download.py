"""Weights from the internet, for those who have one: only what is known by its digest."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.files import CHUNK
from modelyard_trainer.progress import Progress

_SECONDS = 60.0
_FIRST_SERVER_ERROR = 500


def download(url: str, path: Path, progress: Progress) -> str:
    """Write what `url` (https) holds to `path`.

    Returns:
        The SHA-256 of its bytes.

    Raises:
        RunError: WeightsNotFound, where the server has no such file; StoreUnreachable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, done = hashlib.sha256(), 0
    try:
        # The API takes https alone, and what comes is compared with its digest before anybody looks into it.
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer, path.open("wb") as file:  # noqa: S310
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                progress.detail(f"{path.name}: {done / 1e6:.1f} MB")
    except urllib.error.HTTPError as error:
        passing = error.code >= _FIRST_SERVER_ERROR
        raise RunError(
            Reason.STORE_UNREACHABLE if passing else Reason.WEIGHTS_NOT_FOUND,
            f"spec.model.pretrained.url: the server answered {error.code} for {url}",
        ) from error
    except OSError as error:
        raise RunError(
            Reason.STORE_UNREACHABLE,
            f"spec.model.pretrained.url: {url} cannot be reached from here ({error}); pods without the internet start "
            "from s3",
        ) from error
    return digest.hexdigest()
