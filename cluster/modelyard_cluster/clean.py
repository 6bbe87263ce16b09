"""Leaving the machine as it was: first all but the cache, then the cache too."""

from __future__ import annotations

import shutil

from . import demo, kind, leftovers
from . import engine as engines
from .cache import IN_CACHE, MARKER, cache_folder, state_folder
from .shell import succeeds


def demo_clean() -> None:
    """End the clusters and the engine, and remove their files; what was downloaded and built stays in the cache."""
    if engines.has_leftovers():
        engines.up()
    for name in kind.names():
        kind.down(name)
    if (engine := engines.running()) is not None and engine.data is None:
        for image in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "modelyard-*").split():
            succeeds("docker", "rmi", image, env=engine.environment)
    engines.down()
    leftovers.end_processes([state_folder()])
    leftovers.unmount_below([state_folder()])
    leftovers.remove_tree(state_folder())
    leftovers.remove_tree(demo.RESULTS)


def cache_clean() -> None:
    """Remove what was downloaded and built, too: only what is known to be ours, should the folder hold more."""
    demo_clean()
    folder = cache_folder()
    for entry in (*(folder / name for name in (*IN_CACHE, MARKER)), *folder.glob("scratch-*")):
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
