"""Whether a picture can be read, found out as cheaply as it can be known for sure."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from modelyard_trainer.memory import want_of_memory

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_FORMATS = frozenset({"BMP", "JPEG", "MPO", "PNG", "TIFF", "WEBP"})
"""Pillow's names of what OpenCV, by which training reads pictures, reads too; MPO is a JPEG with more behind it."""
SMALLEST_SIDE = 10
"""Pixels; ultralytics drops smaller pictures without a word."""
_EXIF_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, upright, once the whole picture was decoded.

    JPEGs are decoded at an eighth of their size: that reads every byte of the file, hence finds what is cut off or
    damaged, in a fraction of the time.

    Raises:
        ValueError: it cannot be read; the message says why.
    """
    try:
        with Image.open(path) as picture:
            kind = picture.format
            width, height = picture.size
            turned = picture.getexif().get(_EXIF_ORIENTATION) in _TURNED
            picture.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            picture.load()
    except Exception as error:
        if want_of_memory(error):
            raise
        # Pillow's decoders raise whatever they like on damaged files, from OSError to struct.error.
        raise ValueError(_reason(error)) from error
    if kind not in _FORMATS:
        raise ValueError(f"it is a picture of the format {kind}; JPEG, PNG, TIFF, WebP or BMP would be right")
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(f"it has {width} x {height} pixels; each side must have at least {SMALLEST_SIDE}")
    return (height, width) if turned else (width, height)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    # Once ultralytics is imported, Pillow looks for a plug-in (HEIF) for whatever it does not know.
    if isinstance(error, UnidentifiedImageError | ImportError):
        return "it is not a picture of a known format"
    return f"it is damaged ({error})"
