"""`modelyard_cluster engine up|down` and `modelyard_cluster kind up|down`."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from . import engine, kind
from .console import say

if TYPE_CHECKING:
    from .commands import Subparsers


def register(subparsers: Subparsers) -> None:
    engine_parser = subparsers.add_parser("engine", help="the Docker engine that images and nodes live in")
    actions = engine_parser.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("up", help="start it, and print how a shell reaches it").set_defaults(handle=_engine_up)
    actions.add_parser("down", help="end it, with its containers").set_defaults(handle=_engine_down)

    kind_parser = subparsers.add_parser("kind", help="the Kubernetes cluster")
    actions = kind_parser.add_subparsers(metavar="ACTION", required=True)
    up = actions.add_parser("up", help="make it, unless it is there and healthy")
    up.add_argument("--workers", type=int, default=1, metavar="N", help="worker nodes (default: %(default)s)")
    up.add_argument("--gpus", type=int, default=kind.GPUS, metavar="N", help="GPUs a worker (default: %(default)s)")
    up.set_defaults(handle=_kind_up)
    down = actions.add_parser("down", help="delete it")
    down.set_defaults(handle=_kind_down)
    for parser in (up, down):
        parser.add_argument("--name", default=kind.DEFAULT_NAME, help="the cluster's name (default: %(default)s)")


def _engine_up(_: argparse.Namespace) -> None:
    for name, value in engine.up().environment.items():
        say(f"export {name}={shlex.quote(value)}")


def _engine_down(_: argparse.Namespace) -> None:
    engine.down()


def _kind_up(arguments: argparse.Namespace) -> None:
    cluster = kind.up(arguments.name, workers=arguments.workers, gpus=arguments.gpus)
    say(f"Cluster {cluster.name} is ready; its kubeconfig is {cluster.kubeconfig}.")


def _kind_down(arguments: argparse.Namespace) -> None:
    kind.down(arguments.name)
