"""One training by Modelyard, whatever its task, as `modelyard train` does it: from fetching to publishing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import current_thread, main_thread

from modelyard_api.report import Stage
from modelyard_api.run_document import RunDocument
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.run import run

from bench.training.measured import Stopwatch


def train(document: RunDocument, watch: Stopwatch, scratch: Path, judged: Sequence[str] = ()) -> None:
    """Train, and take down what a person is told.

    Args:
        document: the run.
        watch: told of batches, epochs and judgement.
        scratch: a folder that is not there yet.
        judged: the metrics that published weights are judged by.
    """
    progress = Progress(document.attempt, document.batch_size, document.spec.training.epochs)

    def listen(snapshot: Snapshot, _urgent: bool) -> None:
        if snapshot.stage is not Stage.TRAINING or current_thread() is not main_thread():
            return  # the main thread trains; others save what it did
        if snapshot.in_epoch > 0:
            watch.batch_done()
        if snapshot.epoch > len(watch.ends):
            watch.epoch_done(snapshot.metrics)

    progress.listen(listen)
    run(document, Places(scratch, in_cluster=False), progress)
    watch.judged = {name: progress.now.metrics[name] for name in judged}
