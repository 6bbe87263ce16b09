"""A trained embedding network as files that run without us: the classifier is not in them. Imports torch."""

from __future__ import annotations

import json

from modelyard_api.reid import Reid
from modelyard_api.run_document import RunDocument

from modelyard_trainer.embeddings.export import export_embedder
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext
from modelyard_trainer.tasks.exporting import provenance
from modelyard_trainer.tasks.reid.checkpoint import Checkpoint, build_model


def export(context: TaskContext, block: Reid) -> tuple[ExportedFile, ...]:
    """Export best.pt to each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    checkpoint = Checkpoint.load(context.results / BEST)
    return export_embedder(
        context,
        checkpoint,
        build=build_model,
        size=(checkpoint.height, checkpoint.width),
        metadata=metadata(checkpoint, context.document, block),
    )


def metadata(checkpoint: Checkpoint, document: RunDocument, block: Reid) -> dict[str, str]:
    """What stands in an exported file: where it is from, what its input must be, and how its output is compared."""
    metric = block.metric.value
    preprocessing = {
        "color": "RGB",
        "layout": "NCHW",
        "range": [0, 1],
        "size": [checkpoint.height, checkpoint.width],
        "resize": "stretch",
        "interpolation": "bilinear, antialiased",
        "normalisation": "in the network",
    }
    return provenance(document) | {
        "description": f"{checkpoint.architecture}, epoch {checkpoint.epoch}",
        "task": "reid",
        "preprocessing": json.dumps(preprocessing),
        "distance": checkpoint.distance,
        "metric": json.dumps({"name": metric, "value": checkpoint.metrics[metric], "of": "validation"}),
    }
