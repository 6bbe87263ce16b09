"""`modelyard_cluster tools [NAME ...]`: build the cluster's programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .console import say
from .tools import ensure_tools
from .toolsets import PROGRAMS

if TYPE_CHECKING:
    from .commands import Subparsers


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("tools", help="build the cluster's programs from their Go modules")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PROGRAMS)}; all by default")
    parser.set_defaults(handle=_build)


def _build(arguments: argparse.Namespace) -> None:
    say(f"The programs are in {ensure_tools(*arguments.names)}.")
