"""Creating TrainingRuns and watching what becomes of them, over one connection pool."""

from __future__ import annotations

import asyncio
import copy
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from modelyard_operator.domain.names import job_name

from bench.audit import JobsMade
from bench.timeline import Timeline

NAMESPACE = "default"
RUNS = f"/apis/modelyard.dev/v1alpha1/namespaces/{NAMESPACE}/trainingruns"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RUN_LABEL = "modelyard.dev/run"

_METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
_METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}

JsonObject = dict[str, Any]
Note = Callable[[JsonObject, float], None]
"""Takes an object and the moment at which it was seen."""


@dataclass(frozen=True)
class Api:
    """One API server, who we are to it, and where it notes which Jobs it made."""

    url: str
    token: str
    tls: ssl.SSLContext
    audit_log: Path


class Load:
    """Creates objects and notes in a Timeline when Jobs are made and seen, and when runs are seen complete."""

    def __init__(self, api: Api, session: aiohttp.ClientSession) -> None:
        self._api = api
        self._session = session
        self.timeline = Timeline()
        self._jobs_made = JobsMade(api.audit_log)
        self._watches: list[asyncio.Task[None]] = []

    async def create(self, path: str, body: JsonObject) -> str:
        """POST one object, noting when the first request of its name was sent. Returns its UID."""
        name = body["metadata"]["name"]
        self.timeline.requested.setdefault(name, time.time())
        async with self._session.post(self._api.url + path, json=body, headers=_METADATA) as response:
            if response.status >= 300:
                raise RuntimeError(f"creating {name}: {response.status} {await response.text()}")
            uid = str((await response.json())["metadata"]["uid"])
        self.timeline.job_of[name] = job_name(name, uid, 1) if path == RUNS else name
        return uid

    async def create_all(self, path: str, bodies: list[JsonObject], creators: int) -> None:
        """POST all objects by so many creators at once."""
        await _by_so_many(creators, bodies, lambda body: self.create(path, body))

    async def create_all_with_jobs(self, bodies: list[JsonObject], job: JsonObject, creators: int) -> None:
        """POST all runs by so many creators at once, and after each of them a Job like `job` that it owns."""

        async def both(body: JsonObject) -> None:
            uid = await self.create(RUNS, body)
            await self.create(JOBS, _job_of(body["metadata"]["name"], uid, job))

        await _by_so_many(creators, bodies, both)

    async def some_job(self) -> JsonObject:
        """One of the Jobs that are there."""
        async with self._session.get(self._api.url + JOBS, params={"limit": "1"}) as response:
            response.raise_for_status()
            job: JsonObject = (await response.json())["items"][0]
        return job

    async def delete_all(self, path: str) -> None:
        """Delete the whole collection, and what its objects own, and wait until none is left."""
        options = {"propagationPolicy": "Background"}
        async with self._session.delete(self._api.url + path, json=options) as response:
            response.raise_for_status()
        for collection in (path, JOBS, PODS):
            while await self._count(collection):  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def metrics(self) -> str:
        """The API server's own metrics, in Prometheus' text format."""
        async with self._session.get(self._api.url + "/metrics") as response:
            response.raise_for_status()
            return await response.text()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Note Jobs and completions while the block runs."""
        self._watches = [
            asyncio.create_task(self._note_jobs_made()),
            asyncio.create_task(self._watch(JOBS, {}, self._note_job)),
            asyncio.create_task(self._watch(RUNS, {"fieldSelector": "status.phase=Complete"}, self._note_complete)),
        ]
        await asyncio.sleep(0.2)
        try:
            yield
        finally:
            for task in self._watches:
                task.cancel()
            await asyncio.gather(*self._watches, return_exceptions=True)

    async def until(self, done: Callable[[Timeline], bool], seconds: float, wanted: str) -> None:
        """Wait until `done(timeline)`.

        Raises:
            TimeoutError: so many seconds have passed, and what was `wanted` is not there.
        """
        deadline = time.monotonic() + seconds
        while not done(self.timeline):
            for watch in self._watches:
                if watch.done():
                    watch.result()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{seconds:.0f} s were not enough for {wanted}")
            await asyncio.sleep(0.005)

    async def _note_jobs_made(self) -> None:
        while True:
            self.timeline.job_made.update(self._jobs_made.further())
            await asyncio.sleep(0.05)

    def _note_job(self, job: JsonObject, now: float) -> None:
        labels = job["metadata"].get("labels", {})
        name = labels.get(RUN_LABEL, job["metadata"]["name"])
        self.timeline.job_seen.setdefault(name, now)

    def _note_complete(self, run: JsonObject, now: float) -> None:
        self.timeline.completed.setdefault(run["metadata"]["name"], now)

    async def _watch(self, path: str, select: dict[str, str], note: Note) -> None:
        """Note everything for ever. An API server ends the watch of whoever reads too slowly: it goes on from there.

        Names and labels alone are asked for, so that looking on costs what is looked at as little as may be.
        """
        version = await self._list(path, select, note)
        while True:
            params = {"watch": "true", "resourceVersion": version, **select}
            timeout = aiohttp.ClientTimeout(total=None)
            async with self._session.get(
                self._api.url + path, params=params, timeout=timeout, headers=_METADATA
            ) as response:
                buffer = b""
                async for chunk in response.content.iter_any():
                    now = time.time()
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for event in map(json.loads, lines):
                        if event["type"] == "ERROR":
                            version = await self._list(path, select, note)
                            break
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] in ("ADDED", "MODIFIED"):
                            note(event["object"], now)

    async def _list(self, path: str, select: dict[str, str], note: Note) -> str:
        async with self._session.get(self._api.url + path, params=select, headers=_METADATA_LIST) as response:
            response.raise_for_status()
            listed = await response.json()
        for item in listed["items"] or ():
            note(item, time.time())
        return str(listed["metadata"]["resourceVersion"])

    async def _count(self, path: str) -> int:
        async with self._session.get(self._api.url + path, params={"limit": "1"}) as response:
            return len((await response.json())["items"])


@asynccontextmanager
async def connect(api: Api) -> AsyncIterator[Load]:
    """A Load over a fresh connection pool."""
    connector = aiohttp.TCPConnector(ssl=api.tls, limit=100)
    headers = {"Authorization": f"Bearer {api.token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Load(api, session)


def training_run(name: str) -> JsonObject:
    """The smallest useful TrainingRun: what the load is made of."""
    return {
        "apiVersion": "modelyard.dev/v1alpha1",
        "kind": "TrainingRun",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "task": "detection",
            "dataset": {"s3": {"uri": "s3://datasets/digits/v1/"}},
            "model": {"architecture": "yolov5nu"},
            "artifacts": {"s3": {"uri": "s3://models/"}},
            "resources": {"gpus": 1},
        },
    }


async def _by_so_many(
    creators: int, bodies: list[JsonObject], create: Callable[[JsonObject], Awaitable[object]]
) -> None:
    waiting = iter(bodies)

    async def creator() -> None:
        for body in waiting:
            await create(body)

    await asyncio.gather(*(creator() for _ in range(creators)))


_SET_BY_THE_SERVER = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)


def _job_of(name: str, uid: str, like: JsonObject) -> JsonObject:
    """A Job like the one that the operator made for another run, for this one."""
    job = copy.deepcopy({key: like[key] for key in ("metadata", "spec")})
    metadata, template = job["metadata"], job["spec"]["template"]["metadata"]
    owner = {**metadata["ownerReferences"][0], "name": name, "uid": uid}
    job["metadata"] = {
        "name": name,
        "labels": {**metadata["labels"], RUN_LABEL: name},
        "annotations": metadata.get("annotations", {}),
        "ownerReferences": [owner],
    }
    for labels in (job["metadata"]["labels"], template["labels"]):
        for label in _SET_BY_THE_SERVER:
            labels.pop(label, None)
    job["spec"].pop("selector", None)
    return {"apiVersion": "batch/v1", "kind": "Job", **job}


def bare_job(name: str) -> JsonObject:
    """A Job like the ones that runs get, made by hand: what the API server and the Job controller can do without us."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "trainer",
                            "image": "trainer",
                            "resources": {"limits": {"nvidia.com/gpu": "1"}},
                        }
                    ],
                }
            },
        },
    }
