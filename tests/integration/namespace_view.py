"""A namespace as a test looks at it: runs applied there, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import ApiError
from modelyard_operator.domain.names import ATTEMPT_LABEL, RUN_UID_LABEL
from modelyard_operator.kube import paths

from tests.api.manifests import Manifest, changed

Found = TypeVar("Found")


@dataclass
class NamespaceView:
    """Runs, Jobs and pods of one namespace."""

    plane: BareControlPlane
    namespace: str

    def apply(self, name: str = "digits", **changes: object) -> Manifest:
        """Create a run; changes are given as paths below spec, with `__` for dots."""
        spec = {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}
        small = {"spec.resources.cpu": "1", "spec.resources.memory": "4Gi"}
        manifest = changed({"metadata.name": name, **small, **spec})
        created: Manifest = self.plane.api.post(paths.runs(self.namespace), manifest)
        return created

    def patch(self, name: str, spec: Manifest) -> None:
        self.plane.api.patch(paths.run(self.namespace, name), {"spec": spec})

    def delete(self, name: str = "digits") -> None:
        self.plane.api.delete(paths.run(self.namespace, name))

    def run(self, name: str = "digits") -> Manifest:
        found: Manifest = self.plane.api.get(paths.run(self.namespace, name))
        return found

    def status(self, name: str = "digits") -> Manifest:
        found: Manifest = self.run(name).get("status") or {}
        return found

    def jobs(self, name: str = "digits") -> list[Manifest]:
        return self._of_run(paths.jobs(self.namespace), name)

    def pods(self, name: str = "digits") -> list[Manifest]:
        return self._of_run(paths.pods(self.namespace), name)

    def pod_of(self, attempt: int, name: str = "digits") -> str:
        """The name of an attempt's pod, once there is one."""

        def found() -> str | None:
            wanted = [pod for pod in self.pods(name) if attempt_of(pod) == attempt]
            return str(wanted[-1]["metadata"]["name"]) if wanted else None

        return self.eventually(found, f"attempt {attempt} of {name} has a pod")

    def wait_for_phase(self, phase: str, name: str = "digits", seconds: float = 20) -> Manifest:
        def reached() -> Manifest | None:
            status = self.status(name)
            return status if status.get("phase") == phase else None

        return self.eventually(reached, f"{name} is {phase}", seconds, lambda: self.status(name))

    def eventually(
        self, look: Callable[[], Found | None], what: str, seconds: float = 20, explain: Callable[[], Any] = lambda: ""
    ) -> Found:
        """What `look` finds, once that is not None or False."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}: {explain()}"
            time.sleep(0.05)

    def _of_run(self, path: str, name: str) -> list[Manifest]:
        uid = self.run(name)["metadata"]["uid"]
        found: list[Manifest] = self.plane.api.get(f"{path}?labelSelector={RUN_UID_LABEL}={uid}")["items"]
        return sorted(found, key=attempt_of)

    def is_gone(self, path: str) -> bool:
        try:
            self.plane.api.get(path)
        except ApiError as refusal:
            if refusal.code != 404:
                raise
            return True
        return False


def attempt_of(child: Manifest) -> int:
    """The attempt that a Job or pod was made for."""
    return int(child["metadata"]["labels"][ATTEMPT_LABEL])


def conditions(status: Manifest) -> dict[str, str]:
    """Status by type."""
    return {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
