"""The operator's tests run on the event loop that the operator runs on."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """uvloop's transports are not asyncio's: what is right on the one may fail on the other."""
    return {"uvloop": uvloop.new_event_loop}
