"""`modelyard_cluster preflight`, `demo`, `demo-clean` and `cache-clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import preflight
from .clean import cache_clean, demo_clean
from .demo import demo

if TYPE_CHECKING:
    from .commands import Subparsers


def register(subparsers: Subparsers) -> None:
    for name, does, help_ in (
        ("preflight", preflight.check, "say what this machine lacks for a cluster, if anything"),
        ("demo", demo, "from a bare machine to a trained model"),
        ("demo-clean", demo_clean, "end the clusters and the engine, remove the demo's artifacts; the cache stays"),
        ("cache-clean", cache_clean, "remove the cache as well"),
    ):
        subparsers.add_parser(name, help=help_).set_defaults(handle=lambda _, does=does: does())
