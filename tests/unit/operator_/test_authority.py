"""Where this replica's authority is published, and when again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from modelyard_operator.intake.authority_publisher import AuthorityPublisher
from modelyard_operator.kube.client import KubeClient


class Cluster:
    """Takes down where something was published."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def apply(self, path: str, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert path.endswith(body["metadata"]["name"])
        self.published.append(body["metadata"]["namespace"])
        return body


async def test_a_namespace_that_was_deleted_and_made_again_gets_it_again() -> None:
    cluster, with_runs = Cluster(), {"vision", "faces"}
    publisher = AuthorityPublisher(
        cast("KubeClient", cluster), "ca", "me", lambda: "PEM", lambda: (), known=lambda: with_runs, look_seconds=0.01
    )
    for namespace in ("vision", "faces", "vision"):
        await publisher.prepare(namespace)
    assert cluster.published == ["vision", "faces"]
    with_runs.remove("vision")
    work = asyncio.create_task(publisher.work())
    await asyncio.sleep(0.05)
    work.cancel()
    for namespace in ("vision", "faces"):
        await publisher.prepare(namespace)
    assert cluster.published == ["vision", "faces", "vision"]


async def test_a_renewed_authority_is_published_at_once() -> None:
    cluster, authorities = Cluster(), ["old"]
    publisher = AuthorityPublisher(
        cast("KubeClient", cluster), "ca", "me", lambda: authorities[-1], lambda: (), known=lambda: {"vision"}
    )
    for _ in range(2):
        await publisher.prepare("vision")
    authorities.append("new")
    for _ in range(2):
        await publisher.prepare("vision")
    assert cluster.published == ["vision", "vision"]
