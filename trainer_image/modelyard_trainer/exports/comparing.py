"""What exported files are worth beside PyTorch: their outputs, their metric, their speed. Imports torch."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch
from modelyard_api.export import ExportFormat

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.exports.latency import measure
from modelyard_trainer.exports.picking import strided
from modelyard_trainer.exports.running import in_pytorch, runner_of
from modelyard_trainer.exports.subject import Images, Output, Subject
from modelyard_trainer.tasks.base import ExportedFile, Judged, TaskContext, Verified

_log = logging.getLogger("modelyard.training")
_PICTURES = 16
"""That raw outputs are compared on."""


def verify_all(
    context: TaskContext, subject: Subject, files: Sequence[ExportedFile], validation: Sequence[Picture]
) -> tuple[Verified, ...]:
    """Hold each file against the network in PyTorch.

    Raw outputs are compared on a few of the validation pictures, the metric is measured as the subject does for both
    alike, and one picture is run again and again for the time that it takes.
    """
    there = [file for file in files if not file.skipped]
    if not there:
        return ()
    pictures = strided(validation, _PICTURES)
    reference = in_pytorch(subject.network(subject.weights))
    context.progress.detail("PyTorch")
    wanted = subject.judge(reference)
    image = subject.image(pictures[0])[None]
    _log.info(
        "PyTorch reaches %s %.4f and takes %.2f ms a picture on this CPU",
        *(subject.metric, wanted, measure(reference, image, torch.get_num_threads()).milliseconds),
    )
    verified = []
    for file in there:
        context.progress.detail(file.path.name)
        run = runner_of(file, subject, context.cpus)
        tried = list(subject.inputs(pictures, dynamic=file.wanted.dynamic))
        largest = max(difference(subject, run(images), reference(images), images) for images in tried)
        judged = Judged(subject.metric, subject.judge(run), wanted, subject.judged)
        latency = measure(run, image, context.cpus, "cuda" if file.wanted.format is ExportFormat.TENSORRT else "cpu")
        shapes = tuple(dict.fromkeys("x".join(map(str, images.shape)) for images in tried))
        _log.info(
            "%s: outputs differ from PyTorch's by at most %.3g, %s %.4f, %.2f ms a picture",
            *(file.path.name, largest, judged.metric, judged.value, latency.milliseconds),
        )
        verified.append(Verified(file, largest, len(pictures), shapes, judged, latency))
    return tuple(verified)


def difference(subject: Subject, exported: Output, reference: Output, images: Images) -> float:
    """As the subject counts it; infinite where the shapes differ or one of them holds a value that is no number."""
    if exported.shape != reference.shape or not (np.isfinite(exported).all() and np.isfinite(reference).all()):
        return float("inf")
    found = subject.difference(exported, reference, images)
    # The largest of several would depend on where among them what is no number stands.
    return found if math.isfinite(found) else float("inf")
