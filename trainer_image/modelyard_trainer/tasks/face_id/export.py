"""A trained embedding network as files that run without us. Imports torch."""

from __future__ import annotations

import json

from modelyard_api.run_document import RunDocument

from modelyard_trainer.embeddings.export import export_embedder
from modelyard_trainer.tasks.base import BEST, ExportedFile, TaskContext
from modelyard_trainer.tasks.exporting import provenance
from modelyard_trainer.tasks.face_id.checkpoint import Checkpoint, build_embedder
from modelyard_trainer.tasks.face_id.recipe import METRIC


def export(context: TaskContext) -> tuple[ExportedFile, ...]:
    """Export the embedding network of best.pt to each format of the spec, in the order of formatPriorities.

    Raises:
        RunError: ExportFailed, with what the exporter said.
    """
    checkpoint = Checkpoint.load(context.results / BEST)
    return export_embedder(
        context,
        checkpoint,
        build=build_embedder,
        size=(checkpoint.image_size, checkpoint.image_size),
        metadata=metadata(checkpoint, context.document),
    )


def metadata(checkpoint: Checkpoint, document: RunDocument) -> dict[str, str]:
    """What stands in an exported file: where it is from, what its input must be, and what its output is."""
    preprocessing = {
        "color": "RGB",
        "layout": "NCHW",
        "range": [0, 1],
        "size": [checkpoint.image_size, checkpoint.image_size],
        "resize": checkpoint.resize,
        "interpolation": "bilinear, antialiased",
        "normalisation": "in the network",
    }
    return provenance(document) | {
        "description": f"{checkpoint.architecture}, epoch {checkpoint.epoch}",
        "task": "face-id",
        "labels": json.dumps({str(number): name for number, name in enumerate(checkpoint.classes)}),
        "embedding": json.dumps(
            {
                "size": checkpoint.embedding_size,
                "normalised": "L2",
                "similarity": "cosine",
                "trainedWith": checkpoint.head,
            }
        ),
        "preprocessing": json.dumps(preprocessing),
        "metric": json.dumps({"name": METRIC, "value": checkpoint.metrics[METRIC], "of": "validation"}),
    }
