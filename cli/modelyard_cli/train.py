"""`modelyard train`: the run of a manifest on this computer."""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from modelyard_api.loading import parse_run, read_run
from modelyard_api.outcome import EXIT_CODES, ExitCode, Reason
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Artifacts, Dataset, TrainingRunSpec
from modelyard_api.training_run import MAY_CHANGE, TrainingRun
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.completion import completion
from modelyard_trainer.errors import Interrupted, RunError
from modelyard_trainer.interruption import Interruption
from modelyard_trainer.logs import ROOT
from modelyard_trainer.places import Places
from modelyard_trainer.progress import Progress, Snapshot
from modelyard_trainer.run import Finished, run
from modelyard_trainer.terminal import TerminalProgress
from rich.console import Console
from rich.logging import RichHandler

from modelyard_cli.settings import with_settings

_NAMESPACE = uuid.UUID("6d0b6f1e-52f4-4e0c-9a53-0d6a2c8a4f10")
"""Of the UIDs that are made of manifests."""


def train_here(
    manifest: Path,
    output: Path | None,
    dataset: Path | None,
    scratch: Path | None,
    settings: Sequence[str] = (),
    *,
    processes: int | None = None,
) -> int:
    """Train and say how it went.

    Args:
        manifest: a file with a TrainingRun.
        output: folder for the results, instead of what the manifest says.
        dataset: folder with the data set, instead of what the manifest says.
        scratch: folder for what nobody keeps.
        settings: fields that are set otherwise, such as `training.epochs=1`.
        processes: in how many it is trained, where not in one for each GPU.

    Returns:
        The exit code: the same as that of the trainer in a pod.
    """
    console = Console(stderr=True)
    _log_to(console)
    try:
        wanted, notices = with_settings(read_run(manifest.read_text(encoding="utf-8")), settings)
        document = document_of(parse_run(wanted), output, dataset)
    except ValueError as error:
        console.print(f"{manifest}: {error}", style="red", markup=False, highlight=False)
        return ExitCode.USER_ERROR
    for notice in notices:
        console.print(notice, style="yellow", markup=False, highlight=False)
    with ExitStack() as stack:
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-", dir=scratch)))
        progress = Progress(document.attempt, document.batch_size, document.spec.epochs_to_train)
        progress.listen(stack.enter_context(TerminalProgress(console)))
        interruption = Interruption()
        interruption.install()
        try:
            finished = run(document, Places(folder, in_cluster=False), progress, interruption, processes=processes)
        except RunError as error:
            stack.close()
            console.print(f"{error.reason}: {error.message}", style="red", markup=False, highlight=False)
            return EXIT_CODES.get(error.reason, 1)
        except Interrupted:
            stack.close()
            console.print(_interrupted(progress.now), highlight=False)
            return EXIT_CODES[Reason.INTERRUPTED]
    _say(finished, progress.now, document.spec.training.patience, console)
    return ExitCode.SUCCESS


def document_of(manifest: TrainingRun, output: Path | None, dataset: Path | None) -> RunDocument:
    """The run document that the operator would make, with folders of this computer where they are given."""
    spec = manifest.spec
    changes: dict[str, object] = {}
    if output is not None:
        changes["artifacts"] = Artifacts(path=str(output.resolve()), naming=spec.artifacts.naming)
    if dataset is not None:
        kept = spec.dataset.model_dump(exclude={"s3", "path", "volume"})
        changes["dataset"] = Dataset(**kept, path=str(dataset.resolve()))
    return RunDocument(
        namespace=manifest.metadata.namespace or "default",
        name=manifest.metadata.name,
        uid=_identity(manifest, spec.model_copy(update=changes)),
        attempt=1,
        batch_size=spec.training.batch_size,
        spec=spec.model_copy(update=changes),
    )


def _identity(manifest: TrainingRun, spec: TrainingRunSpec) -> str:
    """A UID that the same training has every time, so that it goes on from its own checkpoints and no other's."""
    trained = spec.model_dump(mode="json", exclude=set(MAY_CHANGE))
    said = json.dumps([manifest.metadata.namespace, manifest.metadata.name, trained], sort_keys=True)
    return str(uuid.uuid5(_NAMESPACE, said))


def _interrupted(now: Snapshot) -> str:
    if now.checkpoint is None:
        return "interrupted; nothing was published"
    position = Position(now.checkpoint.epoch, now.checkpoint.step)
    return f"interrupted; nothing was published, and the same command goes on from {position}"


def _say(finished: Finished, now: Snapshot, patience: int, console: Console) -> None:
    metrics = "  ".join(f"{name} {value:.3f}" for name, value in now.metrics.items())
    console.print(f"[green]done[/green]  {metrics}", highlight=False)
    _, epochs = completion(now, patience)
    if epochs:
        console.print(epochs, markup=False, highlight=False)
    for artifact in finished.published.artifacts:
        console.print(f"  {artifact.name:<28} {artifact.bytes:>11,} bytes  {artifact.sha256[:16]}", highlight=False)
    console.print(f"in {finished.published.uri}, listed in SHA256SUMS", markup=False, highlight=False)


def _log_to(console: Console) -> None:
    handler = RichHandler(console=console, show_path=False, show_level=False, omit_repeated_times=False)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger(ROOT)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
