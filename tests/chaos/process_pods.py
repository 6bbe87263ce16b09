"""Trainers' pods as processes of this machine: as much of a kubelet as they need, and no container."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from modelyard_api.outcome import MAX_TERMINATION_MESSAGE
from modelyard_api.run_document import MOUNT, SCRATCH_FOLDER
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.by_hand import set_running, set_terminated
from modelyard_cluster.kube_api import ApiError
from modelyard_operator.kube import paths
from modelyard_trainer.environment import REVISION_VARIABLE

from tests.chaos.witness import Object
from tests.unit.trainer.pod import REPOSITORY, TRAINER, Pod

_REFRESH_SECONDS = 0.5
"""A kubelet takes a minute to show a pod what has changed in a ConfigMap."""


class ProcessPod:
    """A trainer's pod.

    Args:
        pod: the pod, which has a node.
        folder: where its volumes lie.

    Attributes:
        deleted: set once somebody has asked for its deletion.
    """

    def __init__(self, plane: BareControlPlane, pod: Object, folder: Path) -> None:
        self._api = plane.api
        self._plane = plane
        self._pod = pod
        self._folder = folder
        self.name: str = pod["metadata"]["name"]
        self._namespace: str = pod["metadata"]["namespace"]
        (self._container,) = pod["spec"]["containers"]
        self.deleted = asyncio.Event()
        self.log = folder / "log"

    async def live(self) -> None:
        """From its beginning to its end, and the last word about it."""
        self._folder.mkdir(parents=True)
        try:
            await asyncio.to_thread(self._mount)
        except ApiError as refusal:
            if refusal.code not in (403, 404):
                raise
            return  # it, or its namespace, is gone already
        if not self.deleted.is_set():
            code = await self._run()
            facts: dict[str, Any] = {"exit_code": code, "message": self._message()}
            with suppress(ApiError):  # it may be gone by force
                await asyncio.to_thread(partial(set_terminated, self._api, self._namespace, self.name, **facts))
        await self.deleted.wait()
        with suppress(ApiError):
            await asyncio.to_thread(self._api.delete, f"{self._path}?gracePeriodSeconds=0")

    async def _run(self) -> int:
        """The container, from its start to its exit code as a runtime has it."""
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *TRAINER),
                *("--mount", self._place(str(MOUNT))),
                *("--scratch", self._place(str(SCRATCH_FOLDER))),
                *("--termination-log", self._termination_log),
                env=dict(self._environment()),
                stdout=log,
                stderr=log,
            )
        try:
            with suppress(ApiError):
                await asyncio.to_thread(set_running, self._api, self._namespace, self.name)
            refreshing = asyncio.create_task(self._refresh())
            ending = asyncio.create_task(self._end(process))
            code = await process.wait()
            for task in (refreshing, ending):
                task.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        return code if code >= 0 else 128 - code

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM once somebody wants the pod away, and SIGKILL after its grace period."""
        await self.deleted.wait()
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(self._pod["spec"]["terminationGracePeriodSeconds"])
        process.kill()

    async def _refresh(self) -> None:
        """Show it what has changed in ConfigMaps."""
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            await asyncio.to_thread(self._mount, only="configMap")

    def _mount(self, only: str = "") -> None:
        """Write every volume's files, or those of one kind."""
        for volume in self._pod["spec"]["volumes"]:
            place = self._place(next(each["mountPath"] for each in self._mounts if each["name"] == volume["name"]))
            (kind,) = volume.keys() - {"name"}
            if only in ("", kind):
                place.mkdir(parents=True, exist_ok=True)
                for name, content in self._files(kind, volume[kind]):
                    # Whole or not at all, as the kubelet does it.
                    (place / f".{name}").write_bytes(content)
                    (place / f".{name}").rename(place / name)

    def _files(self, kind: str, source: Object) -> Iterator[tuple[str, bytes]]:
        match kind:
            case "downwardAPI":
                for item in source["items"]:
                    yield item["path"], self._field(item["fieldRef"]["fieldPath"]).encode()
            case "projected":
                for token in (each["serviceAccountToken"] for each in source["sources"]):
                    yield token["path"], self._token(token).encode()
            case "configMap":
                for name, text in self._data("configmaps", source["name"]).items():
                    yield name, text.encode()
            case "secret":
                for name, text in self._data("secrets", source["secretName"]).items():
                    yield name, base64.b64decode(text)

    def _data(self, plural: str, name: str) -> dict[str, str]:
        """What one of them holds; nothing where it is not there, since all of them are optional."""
        try:
            found = self._api.get(f"/api/v1/namespaces/{self._namespace}/{plural}/{name}")
        except ApiError as refusal:
            if refusal.code != 404:
                raise
            return {}
        return dict(found.get("data") or {})

    def _token(self, asked: Object) -> str:
        account = self._pod["spec"].get("serviceAccountName", "default")
        return self._plane.service_account_token(
            self._namespace, account, audience=asked["audience"], pod=self.name, seconds=asked["expirationSeconds"]
        )

    def _environment(self) -> Iterator[tuple[str, str]]:
        yield from ((name, value) for name, value in os.environ.items() if not name.startswith("AWS_"))
        yield REVISION_VARIABLE, "that of the tests"
        yield "PYTHONPATH", os.pathsep.join(str(REPOSITORY / folder) for folder in Pod.folders)
        for variable in self._container["env"]:
            source = variable.get("valueFrom")
            yield variable["name"], self._field(source["fieldRef"]["fieldPath"]) if source else variable["value"]

    def _field(self, path: str) -> str:
        """A field of the pod, as the downward API has it."""
        found: Any = self._pod
        first, _, key = path.partition("[")
        for part in first.split("."):
            found = found[part]
        return str(found[key.strip("']")] if key else found)

    def _place(self, path: str) -> Path:
        """Where on this machine the container's path lies."""
        return self._folder / "root" / path.lstrip("/")

    @property
    def _mounts(self) -> list[Object]:
        found: list[Object] = self._container["volumeMounts"]
        return found

    @property
    def _termination_log(self) -> Path:
        return self._folder / "termination-log"

    @property
    def _path(self) -> str:
        return f"{paths.pods(self._namespace)}/{self.name}"

    def _message(self) -> str:
        if not self._termination_log.exists():
            return ""
        return self._termination_log.read_bytes()[:MAX_TERMINATION_MESSAGE].decode(errors="replace")
