"""The schema of a TrainingRun, from which the CRD, the reference page and the sentences about mistakes are made."""

from __future__ import annotations

from modelyard_api import API_VERSION
from modelyard_api.structural import Schema, structural_schema
from modelyard_api.training_run import KIND, TrainingRun


def training_run_schema() -> Schema:
    """The structural schema of a TrainingRun."""
    schema = structural_schema(TrainingRun)
    schema["properties"] |= {
        "apiVersion": {"type": "string", "description": f"Version of the API: {API_VERSION}."},
        "kind": {"type": "string", "description": f"Kind of the object: {KIND}."},
        # The API server has a schema of its own for metadata; only the name may be looked at.
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    schema["required"] = ["spec"]
    return schema
