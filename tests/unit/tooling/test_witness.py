"""What `tests/chaos` sees of a namespace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from modelyard_cluster.bare import BareControlPlane, BareOptions

from tests.chaos.witness import Witness


def test_it_is_not_asked_in_a_thread_while_its_watches_go_on(tmp_path: Path) -> None:
    """One run among a thousand ended on a dictionary that grew while a thread went through it."""
    witness = Witness(BareControlPlane(tmp_path, BareOptions()), "vision")

    async def ask() -> None:
        assert witness.children_ever("digits") == []
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(witness.children_ever, "digits")

    asyncio.run(ask())
