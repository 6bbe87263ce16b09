"""How the folder of a data set that is made here begins and ends.

`digits/make_dataset.py` does it by itself: the demo's image holds that file alone.
"""

from __future__ import annotations

from pathlib import Path

from modelyard_api.layout import CHECKSUMS
from modelyard_trainer.files import digests_below, format_checksums

_THREADS = 4


def begin(folder: Path) -> None:
    """Make the folder.

    Raises:
        SystemExit: it is there, and something is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty; name a folder that is not there yet")


def write_checksums(folder: Path) -> None:
    """SHA256SUMS over all that is in the folder now, in the place of one that is there."""
    (folder / CHECKSUMS).write_text(format_checksums(digests_below(folder, _THREADS)))
