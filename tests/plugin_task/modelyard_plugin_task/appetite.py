"""More memory than a container may have, so that the kernel kills for it."""

from __future__ import annotations

import os
import time
from typing import NoReturn

_BITE = 8 << 20
_UNTIL_TOLD = 1.0
"""Seconds for the container runtime to hear that the kernel has killed in it."""


def eat_too_much() -> NoReturn:
    """Have a child killed for memory, then this process.

    The kernel's word reaches the container runtime beside that of the end, and may be late. A child that is killed
    before has the runtime know by then; where a container is killed as a whole, this process goes with it.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        time.sleep(_UNTIL_TOLD)
    _eat()


def _eat() -> NoReturn:
    eaten = []
    while True:
        eaten.append(b"\1" * _BITE)
