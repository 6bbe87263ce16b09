"""Sees a namespace's runs, Jobs and pods without any proxy between, and remembers what must never have been."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import aiohttp
from modelyard_cluster.bare import BareControlPlane
from modelyard_operator.domain.names import RUN_LABEL
from modelyard_operator.kube import paths

from tests.chaos.proxy import lines
from tests.integration.namespace_view import attempt_of

Object = dict[str, Any]
_ENDED = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")


class Witness:
    """What is in a namespace now, by watches of its own.

    To be asked in its event loop alone: a thread beside it would read what the watches are changing.
    """

    def __init__(self, plane: BareControlPlane, namespace: str) -> None:
        self._ever: dict[str, dict[str, Object]] = {}
        self._begun: dict[str, tuple[str, str, int]] = {}
        self._free: dict[str, int] = {}
        self.namespace = namespace
        self._plane = plane
        self._known: dict[str, dict[str, Object]] = {}
        self._paths = [paths.runs(namespace), paths.jobs(namespace), paths.pods(namespace)]
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._plane.api._context),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {self._plane.admin_token}"},
        )
        self._tasks = [asyncio.create_task(self._watch(path)) for path in self._paths]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def run(self, name: str) -> Object:
        """A run; empty where there is none."""
        runs = _held(self._known, "trainingruns")
        return next((run for run in runs if run["metadata"]["name"] == name), {})

    def status(self, name: str) -> Object:
        """A run's status; empty where there is none."""
        found: Object = self.run(name).get("status") or {}
        return found

    def jobs(self, run: str) -> list[Object]:
        """Jobs of a run, by attempt."""
        return self._children(self._known, "jobs", run)

    def pods(self, run: str) -> list[Object]:
        """Pods of a run, by attempt."""
        return self._children(self._known, "pods", run)

    def children_ever(self, run: str) -> list[Object]:
        """Jobs and pods that the run has or had."""
        return [*self._children(self._ever, "jobs", run), *self._children(self._ever, "pods", run)]

    def offences(self, run: str) -> list[str]:
        """A sentence for each time that two Jobs of a run were at work at once: neither ended nor being deleted.

        Resource versions tell what came first, also between Jobs and pods, whose watches race.
        """
        jobs = sorted((begun, name, uid) for uid, (of, name, begun) in self._begun.items() if of == run)
        return [
            f"Job {later} of run {run} was there before {earlier} had ended"
            for number, (_, earlier, uid) in enumerate(jobs)
            for begun, later, _ in jobs[number + 1 :]
            if uid not in self._free or begun < self._free[uid]
        ]

    def forget(self, run: str) -> None:
        """Drop what a run that is gone has left."""
        for among in self._ever.values():
            for uid in [uid for uid, one in among.items() if one["metadata"].get("labels", {}).get(RUN_LABEL) == run]:
                del among[uid]

    async def change(self, seconds: float) -> None:
        """Return when something has changed, or after `seconds`."""
        for task in self._tasks:
            if task.done():
                task.result()
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    async def until(self, is_so: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait until `is_so`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not is_so():
            assert loop.time() < deadline, f"waited {seconds} s in vain until {what}"
            await self.change(0.5)

    def _children(self, among: dict[str, dict[str, Object]], plural: str, run: str) -> list[Object]:
        found = [child for child in _held(among, plural) if child["metadata"].get("labels", {}).get(RUN_LABEL) == run]
        return sorted(found, key=attempt_of)

    async def _watch(self, path: str) -> None:
        """Go on where a watch has ended: the API server cuts off whoever is too slow for it."""
        since: dict[str, str] = {}
        while True:
            query = {"watch": "true", **since}
            async with self._session.get(f"{self._plane.url}{path}", params=query, raise_for_status=True) as answer:
                async for line in lines(answer):
                    event = json.loads(line)
                    seen = event["object"]
                    assert event["type"] != "ERROR", seen
                    since = {"resourceVersion": seen["metadata"]["resourceVersion"]}
                    await self._take_in(path.rpartition("/")[2], event["type"], seen)

    async def _take_in(self, plural: str, kind: str, seen: Object) -> None:
        uid = seen["metadata"]["uid"]
        known = self._known.setdefault(plural, {})
        self._ever.setdefault(plural, {})[uid] = seen
        if kind == "DELETED":
            known.pop(uid, None)
        else:
            known[uid] = seen
        self._note(plural, kind, seen)
        async with self._changed:
            self._changed.notify_all()

    def _note(self, plural: str, kind: str, seen: Object) -> None:
        metadata, state = seen["metadata"], seen.get("status") or {}
        version = int(metadata["resourceVersion"])
        if plural == "jobs":
            run = metadata.get("labels", {}).get(RUN_LABEL, "")
            self._begun.setdefault(metadata["uid"], (run, metadata["name"], version))
            ended = any(one["type"] in _ENDED and one["status"] == "True" for one in state.get("conditions", ()))
            if kind == "DELETED" or "deletionTimestamp" in metadata or ended:
                self._free.setdefault(metadata["uid"], version)
        elif plural == "pods" and state.get("phase") in ("Succeeded", "Failed"):
            # The end of its only pod is the end of a Job, which takes a second to say so: it makes no other. One whose
            # Job was deleted by somebody who let it live on belongs to none any more.
            for owner in metadata.get("ownerReferences", ()):
                self._free[owner["uid"]] = min(version, self._free.get(owner["uid"], version))


def _held(among: dict[str, dict[str, Object]], plural: str) -> Iterable[Object]:
    """What is held of a kind; RuntimeError in a thread, which sees a dictionary that grows while it goes through it."""
    asyncio.get_running_loop()
    return among.get(plural, {}).values()
