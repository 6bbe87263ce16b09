"""`modelyard_cluster bare up|down`: a control plane without kubelets that outlives the command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .bare import BareOptions, bring_down, bring_up
from .cache import state_folder
from .console import fail, say
from .daemons import DaemonFailed

if TYPE_CHECKING:
    from .commands import Subparsers


def register(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("bare", help="a control plane as plain processes on loopback")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    up = actions.add_parser("up", help="start it and print the path of its kubeconfig")
    up.add_argument("--kwok", type=int, default=0, metavar="N", help="how many simulated nodes it has (default 0)")
    up.add_argument("--gpus", type=int, default=8, metavar="N", help="nvidia.com/gpu of each of them (default 8)")
    up.add_argument("--pod-seconds", type=float, default=1.0, help="how long a Job's pod runs there (default 1)")
    up.add_argument("--no-fsync", action="store_true", help="etcd does not wait for the disk")
    up.set_defaults(handle=_up)
    down = actions.add_parser("down", help="end it and remove its folder")
    down.set_defaults(handle=_down)
    for action in (up, down):
        action.add_argument(
            "--folder", type=Path, default=None, help="where it is kept (default: $MODELYARD_STATE/bare)"
        )


def _up(arguments: argparse.Namespace) -> None:
    options = BareOptions(
        kwok_nodes=arguments.kwok,
        gpus_per_node=arguments.gpus,
        pod_seconds=arguments.pod_seconds,
        fsync=not arguments.no_fsync,
        outlive=True,
    )
    try:
        say(str(bring_up(_folder(arguments), options)))
    except (DaemonFailed, TimeoutError) as failure:
        raise fail(str(failure)) from None


def _down(arguments: argparse.Namespace) -> None:
    bring_down(_folder(arguments))


def _folder(arguments: argparse.Namespace) -> Path:
    return (arguments.folder or state_folder() / "bare").resolve()
