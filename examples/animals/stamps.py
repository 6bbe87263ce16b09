"""Where Debian's photographs of animals lie, which it ships for children to paint with (tuxpaint-stamps-default)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PACKAGE = "tuxpaint-stamps-default"
_INSTALLED = Path("/usr/share/tuxpaint/stamps")
_DRAWN = {"cartoon", "toys"}
"""Folders of what is no photograph of an animal."""
_NO_PHOTOGRAPHS = {"hedgehog"}
_COPIES = ("_mirror", "_flip")


def photographs(folder: Path | None = None) -> list[Path]:
    """Cut-out photographs of animals, one of each, sorted by name; they are fetched where they are not there yet."""
    root = (folder or stamps()) / "animals"
    return sorted(
        (
            path
            for path in root.rglob("*.png")
            if not _DRAWN & set(path.parts) and path.stem not in _NO_PHOTOGRAPHS and not path.stem.endswith(_COPIES)
        ),
        key=lambda path: path.stem,
    )


def stamps() -> Path:
    """The package's folder: the installed one's, or that of the package unpacked into the cache (160 MB, once).

    Raises:
        SystemExit: it is not there, and apt cannot fetch it.
    """
    if _INSTALLED.is_dir():
        return _INSTALLED
    cache = Path(os.environ.get("MODELYARD_CACHE", "/var/cache/modelyard")) / "stamps"
    unpacked = cache / "usr/share/tuxpaint/stamps"
    if not unpacked.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(cache)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"the photographs are in Debian's package {PACKAGE}, which is not installed: {error}"
            ) from error
    return unpacked


def _fetch(cache: Path) -> None:
    """Unpack the package below `cache`, whole or not at all."""
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
    if subprocess.run(download, cwd=cache, check=False).returncode:
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(download, cwd=cache, check=True)
    (package,) = cache.glob("*.deb")
    whole = cache / f"unpacking-{os.getpid()}"
    subprocess.run(["dpkg-deb", "-x", str(package), str(whole)], check=True)
    (whole / "usr").rename(cache / "usr")
    package.unlink()
