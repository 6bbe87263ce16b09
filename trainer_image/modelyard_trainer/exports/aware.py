"""Networks that were trained in 8 bits, as ONNX. Imports torch."""

from __future__ import annotations

from pathlib import Path

import onnx
from modelyard_api.export import Export

from modelyard_trainer.exports.integers import with_integers
from modelyard_trainer.exports.onnx_file import traced
from modelyard_trainer.exports.subject import Subject
from modelyard_trainer.quantising.file import QuantisedWeights


def trained_in_8_bits(subject: Subject, wanted: Export, weights: QuantisedWeights, path: Path) -> onnx.ModelProto:
    """The subject's network with the layers, weights and ranges of these; it is at `path` on the way."""
    network = subject.traceable(dynamic=wanted.dynamic)
    layers = weights.scheme.apply(network)
    network.load_state_dict(dict(weights.weights), strict=True)
    for layer in layers:
        layer.settle()
    return with_integers(traced(subject, network, wanted, path))
