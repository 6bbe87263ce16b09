"""The Events that people are told."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from modelyard_operator.kube.client import KubeClient
from modelyard_operator.reconcile.events import EventWriter, Note

from tests.unit.operator_.world import a_run


async def test_a_note_is_cut_by_bytes_since_the_api_server_counts_them() -> None:
    written: list[dict[str, Any]] = []
    told = asyncio.Event()

    class Noting:
        async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            written.append(body)
            told.set()
            return {}

    events = EventWriter(cast("KubeClient", Noting()), "test")
    events.tell(a_run().run, Note("Warning", "LabelInvalid", "ä" * 1024))
    working = asyncio.create_task(events.work())
    try:
        await asyncio.wait_for(told.wait(), 5)
    finally:
        working.cancel()
    assert written[0]["note"] == "ä" * 512
