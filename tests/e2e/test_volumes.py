"""A data set that lies on a PersistentVolume, where the team's other tools have put it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.datasets import SMALL_IMAGES, small
from tests.e2e.node import Node
from tests.e2e.yard import NAMESPACE, Yard

CLAIM, ON_THE_NODE = "pictures", "/var/lib/modelyard-test/pictures"
FOLDER = "digits/v1"
"""Of the data set, below the volume's root."""


def test_a_run_trains_on_a_claim_that_it_cannot_write_to(yard: Yard, worker: Node, tmp_path: Path) -> None:
    with _claimed(yard, worker, small(tmp_path / "small")):
        before = _checksums(worker)
        volume = {"volume": {"claimName": CLAIM, "path": FOLDER}, "format": "yolo", "validationSplit": 0.2}
        (run,) = yard.start(yard.quick("on-a-claim").having(volume, "dataset").for_epochs(8))
        run.until_epoch(1)
        (pod,) = run.pods()
        (mounted,) = (each for each in pod["spec"]["volumes"] if "persistentVolumeClaim" in each)
        (mount,) = (each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["name"] == mounted["name"])
        writing = ("python", "-c", f"open('{mount['mountPath']}/{FOLDER}/mine', 'w')")
        assert "Read-only file system" in yard.kubectl.refusal("exec", pod["metadata"]["name"], "--", *writing)
        status = run.wait("Complete")
        assert _checksums(worker) == before
    dataset = status["dataset"]
    assert dataset["trainingImages"] + dataset["validationImages"] == SMALL_IMAGES


def test_a_folder_that_is_not_on_the_claim_is_told_and_not_tried_again(
    yard: Yard, worker: Node, tmp_path: Path
) -> None:
    with _claimed(yard, worker, small(tmp_path / "small")):
        volume = {"volume": {"claimName": CLAIM, "path": "digits/v2"}, "format": "yolo"}
        (run,) = yard.start(yard.quick("beside-a-claim").having(volume, "dataset"))
        status = run.wait("Failed")
    assert len(status["attempts"]) == 1
    assert status["message"] == f"spec.dataset.volume.path: claim {CLAIM} has no folder digits/v2"


@contextmanager
def _claimed(yard: Yard, node: Node, dataset: Path) -> Iterator[None]:
    """The data set lies on a volume of the node during the block, and the namespace has a claim to it."""
    node("mkdir", "-p", f"{ON_THE_NODE}/{Path(FOLDER).parent}")
    node.engine.docker("cp", str(dataset), f"{node.name}:{ON_THE_NODE}/{FOLDER}")
    node("chmod", "-R", "a+rwX", ON_THE_NODE)  # nothing but the mount keeps the trainer from writing
    capacity = {"storage": "1Gi"}
    alike: dict[str, Any] = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    yard.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": CLAIM},
            "spec": {
                **alike,
                "capacity": capacity,
                "hostPath": {"path": ON_THE_NODE, "type": "Directory"},
                "claimRef": {"namespace": NAMESPACE, "name": CLAIM},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": NAMESPACE},
            "spec": {**alike, "volumeName": CLAIM, "resources": {"requests": capacity}},
        },
    )
    try:
        yield
    finally:
        yard.kubectl("delete", "trainingruns", "on-a-claim", "beside-a-claim", "--ignore-not-found", "--wait=true")
        yard.kubectl("delete", f"persistentvolumeclaim/{CLAIM}", f"persistentvolume/{CLAIM}", "--wait=true")
        node("rm", "-rf", ON_THE_NODE)


def _checksums(node: Node) -> str:
    return node("find", ON_THE_NODE, "-type", "f", "-exec", "sha256sum", "{}", "+")
