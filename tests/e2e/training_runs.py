"""TrainingRuns for stories, as sentences: `quick("two-a", image).for_epochs(3)`."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_api.reading import documents
from modelyard_cluster.cache import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
EXAMPLE = EXAMPLES / "digits.yaml"
CLASSIFICATION = EXAMPLES / "digits-classification.yaml"
REID = EXAMPLES / "reid.yaml"
FACE_ID = EXAMPLES / "face-id.yaml"
BUCKET = "datasets"
SMALL = f"s3://{BUCKET}/small/v1/"
"""A data set of the example's kind, small enough for a run of seconds."""


@dataclass(frozen=True)
class Story:
    """A manifest that reads as what is special about it; every method returns a changed copy."""

    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    def named(self, name: str) -> Story:
        """With another name."""
        return self._with(("metadata", "name"), name)

    def in_namespace(self, namespace: str) -> Story:
        """In another namespace."""
        return self._with(("metadata", "namespace"), namespace)

    def for_epochs(self, epochs: int) -> Story:
        """With so many epochs."""
        return self.having(epochs, "training", "epochs")

    def for_ever(self) -> Story:
        """With more epochs than anybody waits for."""
        return self.for_epochs(100_000)

    def from_dataset(self, uri: str) -> Story:
        """From another data set in the same store."""
        return self.having(uri, "dataset", "s3", "uri")

    def of(self, architecture: str) -> Story:
        """With another architecture."""
        return self.having(architecture, "model", "architecture")

    def having(self, value: object, *path: str) -> Story:
        """With any other value at a path below spec."""
        return self._with(("spec", *path), value)

    def manifest(self) -> dict[str, Any]:
        """The object to apply."""
        return copy.deepcopy(self.body)

    def _with(self, path: tuple[str, ...], value: object) -> Story:
        body = copy.deepcopy(self.body)
        place = body
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
        return Story(body)


def example(name: str, manifest: Path = EXAMPLE) -> Story:
    """An example, the demo's where no other is named, under another name."""
    (body,) = documents(manifest.read_text())
    assert isinstance(body, dict)
    return Story(body).named(name)


def quick(name: str, image: str) -> Story:
    """The example on the torch-free image: four epochs of a second, small enough that four of them run side by side."""
    changes: tuple[tuple[object, *tuple[str, ...]], ...] = (
        ([], "export"),
        ([], "formatPriorities"),
        (0, "training", "schedule", "warmupEpochs"),
        (
            {"gpus": 1, "cpu": "400m", "memory": "384Mi", "sharedMemory": "64Mi", "scratch": "1Gi", "image": image},
            "resources",
        ),
    )
    story = example(name).from_dataset(SMALL).of("linear-1000ms").for_epochs(4)
    for value, *path in changes:
        story = story.having(value, *path)
    return story
