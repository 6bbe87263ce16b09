"""One TrainingRun of a story, looked at through kubectl."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelyard_cluster.kind import Cluster

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.node import place_of

_POLL_SECONDS = 0.5
PATIENCE = 150
"""Seconds that a quick story may wait: pods of other stories may have to finish before."""


@dataclass(frozen=True)
class LiveRun:
    """A run that was applied."""

    kubectl: Kubectl
    cluster: Cluster
    name: str

    @property
    def status(self) -> Object:
        """Its status now."""
        found: Object = self.kubectl.get("trun", self.name).get("status", {})
        return found

    def wait(self, condition: str, seconds: int = PATIENCE) -> Object:
        """`kubectl wait --for=condition=CONDITION trun/NAME`; the status afterwards.

        A run that is over is not waited for: it is Complete or Failed at once, or never.
        """
        over = "Finished" if condition in ("Complete", "Failed") else condition
        try:
            self.kubectl.wait(f"trun/{self.name}", f"condition={over}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; instead: {self._summary()}") from None
        status = self.status
        assert condition_of(status, condition).get("status") == "True", f"not {condition}: {self._summary()}"
        return status

    def until(self, what: str, holds: Callable[[Object], bool], seconds: float = PATIENCE) -> Object:
        """Look again and again until `holds` says yes to the status, which is returned."""
        deadline = time.monotonic() + seconds
        while not holds(status := self.status):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: waited {seconds:.0f} s in vain for {what}; {self._summary()}")
            time.sleep(_POLL_SECONDS)
        return status

    def until_epoch(self, epoch: int, seconds: float = PATIENCE) -> Object:
        """Wait until so many epochs are done."""
        return self.until(f"epoch {epoch}", lambda status: epochs_done(status) >= epoch, seconds)

    def until_checkpoint(self, epoch: int, seconds: float = PATIENCE) -> Object:
        """Wait until a checkpoint of so many epochs is safe."""

        def is_safe(status: Object) -> bool:
            return bool(status.get("checkpoint", {}).get("epoch", 0) >= epoch)

        return self.until(f"a checkpoint of epoch {epoch}", is_safe, seconds)

    def condition(self, kind: str) -> Object:
        """One of its conditions."""
        found: Object = condition_of(self.status, kind)
        return found

    def jobs(self) -> list[Object]:
        """Its Jobs."""
        return self.kubectl.all("jobs", f"modelyard.dev/run={self.name}")

    def pods(self) -> list[Object]:
        """Its pods."""
        return self.kubectl.all("pods", f"modelyard.dev/run={self.name}")

    def pod(self) -> Object:
        """Its one pod."""
        (pod,) = self.pods()
        return pod

    def set(self, spec: dict[str, Any]) -> None:
        """Change its spec."""
        self.kubectl.patch("trun", self.name, {"spec": spec})

    def delete(self, *, wait: bool = True) -> None:
        """`kubectl delete trun NAME`."""
        self.kubectl("delete", "trun", self.name, f"--wait={str(wait).lower()}")

    def kill_container(self) -> None:
        """SIGKILL to its container's first process, from the node, as a kernel without memory would."""
        node, container = place_of(self.pod(), self.cluster.engine)
        node.kill_container(container)

    def _summary(self) -> str:
        status = self.status
        last = (status.get("attempts") or [{}])[-1]
        return (
            f"{status.get('phase')} ({status.get('reason')}: {status.get('message')}), epoch {epochs_done(status)}, "
            f"last attempt {last}"
        )


def epochs_done(status: Object) -> int:
    """How many epochs a status tells of."""
    return int(status.get("progress", {}).get("epoch", 0))


def condition_of(status: Object, kind: str) -> Object:
    """A status' condition of that type; an empty object where there is none."""
    found: Object = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return found


def phases_of(statuses: list[Object]) -> list[str]:
    """The phases that a run went through, each as often as it was entered."""
    phases = [status["phase"] for status in statuses if "phase" in status]
    return [phase for number, phase in enumerate(phases) if number == 0 or phases[number - 1] != phase]
