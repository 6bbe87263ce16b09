"""Runs with a real trainer: what they need of a namespace, and what they leave in S3."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from modelyard_api.layout import POINTER, RUN_FILE, RunLayout
from modelyard_cluster.bare import BareControlPlane
from modelyard_trainer.files import parse_checksums
from modelyard_trainer.record import LOG_FILE, METRICS_FILE

from tests.chaos.process_node import ProcessNode
from tests.chaos.trace import Names, named, names, timeless
from tests.chaos.witness import Witness
from tests.unit.trainer.conftest import RealStore

DATA = "small"
EPOCHS = 3
_MODELS, _SECRET = "models", "s3"
_WEIGHTS = ".npz"
_OF_THE_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)|\d+ min \d+ s")
_SAFE_BY_THEN = re.compile("<h2>Checkpoints</h2>.*?</table>", re.DOTALL)
"""The last one may still be on its way when the record is written."""
_SECONDS = re.compile(r"(?<=,)\d+\.\d{3}(?=,)")


@dataclass(frozen=True)
class Workshop:
    """A node that runs trainers, and the store that they work with."""

    node: ProcessNode
    store: RealStore

    @property
    def changes(self) -> dict[str, object]:
        """What makes a run one of a few seconds, here."""
        place = {"endpoint": self.store.endpoint, "secretRef": {"name": _SECRET}}
        return {
            **self.node.changes,
            "dataset__s3": {"uri": f"s3://datasets/{DATA}/", **place},
            "model__architecture": "linear-200ms",
            "training__epochs": EPOCHS,
            "training__batchSize": 4,
            "training__schedule": {"warmupEpochs": 0},
            "training__seed": 1,
            "export": [],
            "artifacts__s3": {"uri": f"s3://{_MODELS}/", **place},
        }

    async def left(self, witness: Witness, run: str) -> Left:
        """What a run has left in the store."""
        uid = witness.run(run)["metadata"]["uid"]
        objects = await asyncio.to_thread(self._below, f"{RunLayout('', witness.namespace, run, uid).root}/")
        return Left(objects, names(witness, run))

    def _below(self, root: str) -> dict[str, bytes]:
        return {key.removeprefix(root): self._read(key) for key in self.store.keys(_MODELS, root)}

    def _read(self, key: str) -> bytes:
        return self.store.client().get_object(Bucket=_MODELS, Key=key)["Body"].read()


@asynccontextmanager
async def workshop(
    plane: BareControlPlane, namespace: str, folder: Path, store: RealStore, gpus: int
) -> AsyncIterator[Workshop]:
    """One for the runs of a namespace."""
    held = {"AWS_ACCESS_KEY_ID": store.key_id, "AWS_SECRET_ACCESS_KEY": store.secret}
    secret = {"metadata": {"name": _SECRET}, "stringData": held}
    await asyncio.to_thread(plane.api.post, f"/api/v1/namespaces/{namespace}/secrets", secret)
    async with ProcessNode(plane, namespace, folder / f"{namespace}-pods", gpus) as node:
        yield Workshop(node, store)


@dataclass(frozen=True)
class Left:
    """A run's objects by their keys below its own folder, and the names that stand there by chance."""

    objects: dict[str, bytes]
    names: Names

    def listing(self) -> dict[str, str]:
        """The digest of each object by its key, without times and UIDs.

        Where an object holds the digest of another, that counts as the other's name: if it is that of what lies there.
        """
        return {named(key, self.names): self._digest(key) for key in sorted(self.objects)}

    def is_whole(self) -> bool:
        """Whether what `latest.json` makes visible is there, and as SHA256SUMS says."""
        pointer = json.loads(self.objects[POINTER])
        sums = self.objects[pointer["checksums"]]
        listed = {f"{pointer['artifacts']}/{name}": digest for name, digest in parse_checksums(sums.decode()).items()}
        held = {key: sha256(self.objects[key]).hexdigest() for key in listed if key in self.objects}
        return bool(listed) and held == listed and sha256(sums).hexdigest() == pointer["checksumsSha256"]

    def digests(self) -> Names:
        """The digest of each object, and what stands for it."""
        found: dict[str, str] = {}
        for key, content in sorted(self.objects.items()):
            found.setdefault(sha256(content).hexdigest(), f"DIGEST OF {named(key, self.names)}")
        return list(found.items())

    def _digest(self, key: str) -> str:
        content = self.objects[key]
        if not key.endswith(_WEIGHTS):
            content = _settled(key, named(content.decode(), [*self.digests(), *self.names])).encode()
        return sha256(content).hexdigest()


def _settled(key: str, text: str) -> str:
    """A text without times, and without what depends on when something was said."""
    if key.endswith(".json"):
        held = json.loads(text)
        if key.endswith(RUN_FILE):
            del held["checkpoints"]
        return json.dumps(timeless(held))
    text = _SAFE_BY_THEN.sub("", _OF_THE_CLOCK.sub("THEN", text))
    if key.endswith(METRICS_FILE):
        return _SECONDS.sub("", text)
    if key.endswith(LOG_FILE):
        # What a thread says comes when it comes, and the operator may have been away for a report.
        return "\n".join(sorted(line for line in text.splitlines() if "report not delivered" not in line))
    return text
