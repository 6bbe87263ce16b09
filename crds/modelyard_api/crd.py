"""The CustomResourceDefinition of TrainingRun, made from the models: `python -m modelyard_api.crd`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from modelyard_api import GROUP, VERSION
from modelyard_api.generated import generate
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import without_defaults_in_lists
from modelyard_api.training_run import KIND, PLURAL, SINGULAR
from modelyard_api.wording import explained

CRD_FILE = Path(__file__).parents[1] / f"{PLURAL}.{GROUP}.yaml"
MAX_BYTES = 256 * 1024
"""Client-side apply keeps the whole object in an annotation, and annotations end here."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; those of priority 1 are shown with `-o wide`."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0

    def to_json_object(self) -> dict[str, object]:
        """This column as an item of `additionalPrinterColumns`.

        A priority of 0 is left out, as the API server leaves it out: Argo CD compares with what that gives back.
        """
        priority = {"priority": self.priority} if self.priority else {}
        column = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return {**column, **priority}


COLUMNS = (
    Column("Task", ".spec.task", "What kind of model is trained."),
    Column("Phase", ".status.phase", "Where the run is."),
    Column("Epoch", ".status.progress.display", "Epochs done and wanted."),
    Column("Progress", ".status.progress.percentDisplay", "Share of the run's work that is done."),
    Column("ETA", ".status.progress.eta", "Time left."),
    Column("Metric", ".status.metricDisplay", "The main metric of the last validation."),
    Column("Batch", ".status.batchSize", "Batch size in use.", type="integer"),
    Column("Try", ".status.currentAttempt", "Number of the latest attempt.", type="integer"),
    Column("Age", ".metadata.creationTimestamp", "Time since the run was created.", type="date"),
    Column("Reason", ".status.reason", "Why the run is where it is, as one word.", priority=1),
    Column("Stage", ".status.progress.stage", "What the trainer is doing.", priority=1),
    Column("Best", ".status.best.value", "The main metric of the best validation.", priority=1),
    Column("Best-Epoch", ".status.best.epoch", "The epoch of the best validation.", type="integer", priority=1),
    Column("Model", ".spec.model.architecture", "Architecture that is trained.", priority=1),
    Column("Images", ".status.dataset.images", "Pictures in the data set.", type="integer", priority=1),
    Column("GPUs", ".spec.resources.gpus", "GPUs of the pod.", type="integer", priority=1),
    Column("Node", ".status.attempts[-1:].node", "Node of the latest attempt.", priority=1),
    Column("Artifacts", ".status.artifactsUri", "Folder of the published files.", priority=1),
)


def custom_resource_definition() -> dict[str, Any]:
    """The whole CustomResourceDefinition as a JSON object."""
    schema = training_run_schema()
    schema["properties"]["spec"] = without_defaults_in_lists(explained(schema["properties"]["spec"]))
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.to_json_object() for column in COLUMNS],
        "selectableFields": [{"jsonPath": ".spec.task"}, {"jsonPath": ".status.phase"}],
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": ["trun"],
                "categories": ["modelyard"],
            },
            "versions": [version],
        },
    }


def render() -> str:
    """The CustomResourceDefinition as YAML.

    Raises:
        ValueError: it is larger than `kubectl apply` takes.
    """
    text = "# Made from crds/modelyard_api by `python -m modelyard_api.crd`; change the models instead.\n"
    text += yaml.dump(custom_resource_definition(), Dumper=_PlainDumper, sort_keys=False, width=120, allow_unicode=True)
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"the CRD has {len(text.encode())} bytes, and kubectl apply takes no more than {MAX_BYTES}")
    return text


class _PlainDumper(yaml.SafeDumper):
    """Writes every value out where it stands: Kubernetes' tools are not all at ease with YAML anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def main() -> int:
    """Write the CRD, or compare it with what is there."""
    parser = argparse.ArgumentParser(prog="python -m modelyard_api.crd", description=__doc__)
    return generate(parser, {CRD_FILE: render})


if __name__ == "__main__":
    sys.exit(main())
