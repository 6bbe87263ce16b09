"""Leaving the machine as it was: first all but the cache, then the cache too."""

from __future__ import annotations

import shutil

from . import demo, kind, leftovers
from . import engine as engines
from .cache import IN_CACHE, MARKER, cache_folder, state_folder
from .console import say
from .shell import succeeds


def demo_clean() -> None:
    """End clusters and engine, and remove their files and the demo's artifacts; what was downloaded and built stays."""
    _remove_all_but_the_cache()
    say(
        f"What the demo made on this machine is gone, its model too. Downloads and programs stay in {cache_folder()}: "
        "`make cache-clean` removes them."
    )


def _remove_all_but_the_cache() -> None:
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
    _remove_results()


def _remove_results() -> None:
    """Remove the demo's artifacts and the tests' log, and the folder build/ unless it holds something else."""
    leftovers.remove_tree(demo.RESULTS)
    (demo.RESULTS.parent / "training.log").unlink(missing_ok=True)
    if demo.RESULTS.parent.is_dir() and not any(demo.RESULTS.parent.iterdir()):
        demo.RESULTS.parent.rmdir()


def cache_clean() -> None:
    """Remove what was downloaded and built, too: only what is known to be ours, should the folder hold more."""
    _remove_all_but_the_cache()
    folder = cache_folder()
    for entry in (*(folder / name for name in (*IN_CACHE, MARKER)), *folder.glob("scratch-*")):
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    say(f"What the demo made on this machine is gone, and what was downloaded and built in {folder}, too.")
