"""`python3 -m modelyard_cluster COMMAND` sets up, and takes away, the clusters Modelyard runs and is tested on."""

from __future__ import annotations

import argparse

from . import commands
from .console import fail
from .shell import CommandFailed


def main() -> None:
    parser = argparse.ArgumentParser(prog="modelyard_cluster", description=__doc__)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for register in commands.REGISTERED:
        register(subparsers)
    arguments = parser.parse_args()
    try:
        arguments.handle(arguments)
    except CommandFailed as failure:
        raise fail(str(failure)) from None


if __name__ == "__main__":
    main()
