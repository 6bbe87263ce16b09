"""A data set's own SHA256SUMS."""

from __future__ import annotations

from modelyard_api.layout import CHECKSUMS
from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError
from modelyard_trainer.files import parse_checksums


def read_checksums(content: bytes) -> dict[str, str]:
    """Path to digest, as the data set's SHA256SUMS says.

    Raises:
        RunError: DatasetInvalid; it is not such a file.
    """
    try:
        digests = parse_checksums(content.decode("utf-8"))
    except ValueError as error:  # UnicodeDecodeError among them
        raise RunError(Reason.DATASET_INVALID, str(error)) from error
    if not digests:
        raise RunError(Reason.DATASET_EMPTY, f"{CHECKSUMS} of the data set lists no files")
    return digests


def check_digest(name: str, wanted: str, found: str | None) -> None:
    """Refuse a file that is missing or holds something else.

    Raises:
        RunError: DatasetChecksumMismatch.
    """
    if found is None:
        raise RunError(Reason.DATASET_CHECKSUM_MISMATCH, f"{name} is listed in {CHECKSUMS} but is not in the data set")
    if found != wanted:
        raise RunError(
            Reason.DATASET_CHECKSUM_MISMATCH,
            f"{name} has the SHA-256 {found[:12]}..., but {CHECKSUMS} says {wanted[:12]}...; the file or the list "
            "is not the right one",
        )
