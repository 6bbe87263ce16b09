"""What is compared: an example each, and the library that people would train it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from modelyard_api.loading import parse_run, read_run
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import Artifacts, Dataset, ImageCache, Task
from modelyard_trainer.dataset.model import CheckedDataset, FetchedDataset
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from modelyard_trainer.tasks.registry import load_task

from bench.training.measured import Stopwatch

EXAMPLES = Path(__file__).parents[2] / "examples"
Bare = Callable[[RunDocument, CheckedDataset, Stopwatch, Path, int], None]


@dataclass(frozen=True)
class Subject:
    """One comparison.

    Attributes:
        example: file name of its TrainingRun.
        library: what it is compared with.
        bare: the module of this package that trains with it.
        metric: what they are compared by.
        margin: how far below the library's metric ours may be, in the metric's own unit, stated before measuring.
        epochs: of a training that is to be good.
        pictures: of the data set.
        judged: the metrics of the published weights, which one function judges on both sides; without them a training
            is worth its best epoch.
    """

    example: str
    library: str
    bare: str
    metric: str
    margin: float
    epochs: int
    pictures: int
    judged: tuple[str, ...] = ()

    def document(
        self, dataset: Path, results: Path, *, seed: int, epochs: int, subset: int | None = None, cached: bool = True
    ) -> RunDocument:
        """The example, from and into folders of this computer, exported to nothing.

        Args:
            dataset: folder that it is read from.
            results: folder that it is written to.
            seed: of the training.
            epochs: of the training.
            subset: most pictures of each side of the split; all without it.
            cached: keep decoded pictures between epochs where the example does.
        """
        manifest = parse_run(read_run((EXAMPLES / self.example).read_text(encoding="utf-8")))
        spec = manifest.spec
        kept = spec.dataset.model_dump(exclude={"s3", "path", "limit"})
        changed: dict[str, object] = {"seed": seed, "epochs": epochs, "evaluate_every": 1}
        if not cached:
            changed["cache"] = ImageCache.NONE
        return RunDocument(
            namespace="bench",
            name=manifest.metadata.name,
            uid=f"bench-{seed}",
            attempt=1,
            batch_size=spec.training.batch_size,
            spec=spec.model_copy(
                update={
                    "dataset": Dataset(**kept, path=str(dataset), limit=subset),
                    "artifacts": Artifacts(path=str(results)),
                    "training": spec.training.model_copy(update=changed),
                    "export": [],
                    "format_priorities": [],
                }
            ),
        )


PICTURES_OF_AN_ANIMAL = 16
SIGHTINGS_OF_AN_ANIMAL = 12
SUBJECTS = {
    Task.DETECTION: Subject(
        *("digits.yaml", "ultralytics", "bare_ultralytics", "mAP50", 0.02),
        epochs=12,
        pictures=800,
        judged=("mAP50", "mAP50-95"),
    ),
    Task.CLASSIFICATION: Subject(
        *("digits-classification.yaml", "timm", "bare_timm", "macroF1", 0.02), epochs=8, pictures=1797
    ),
    Task.FACE_ID: Subject(
        *("face-id.yaml", "plain PyTorch", "bare_arcface", "top1", 0.02),
        epochs=12,
        pictures=60 * PICTURES_OF_AN_ANIMAL,
    ),
    Task.REID: Subject(
        *("reid.yaml", "torchreid", "bare_torchreid", "mAP", 0.02),
        epochs=10,
        pictures=60 * SIGHTINGS_OF_AN_ANIMAL,
    ),
}


def make_dataset(task: Task, folder: Path) -> None:
    """Write the example's data set, smaller where the subject says so."""
    if task is Task.DETECTION:
        from examples.digits.make_dataset import make as make_pictures  # noqa: PLC0415 - scikit-image takes seconds

        make_pictures(folder, images=SUBJECTS[task].pictures)
    elif task is Task.FACE_ID:
        from examples.animals.make_identities import make as make_animals  # noqa: PLC0415

        make_animals(folder, SUBJECTS[task].pictures // PICTURES_OF_AN_ANIMAL, PICTURES_OF_AN_ANIMAL)
    elif task is Task.REID:
        from examples.animals.make_sightings import make as make_sightings  # noqa: PLC0415

        make_sightings(folder, SUBJECTS[task].pictures // SIGHTINGS_OF_AN_ANIMAL)
    else:
        from examples.digits.make_folders import make as make_folders  # noqa: PLC0415

        make_folders(folder, SUBJECTS[task].pictures)


def checked(document: RunDocument, scratch: Path, threads: int) -> CheckedDataset:
    """The run's data set, split as the run splits it."""
    folder = Path(document.spec.dataset.path or "")
    results = scratch / "checked"
    progress = Progress(1, document.batch_size, document.spec.training.epochs)
    task = load_task(document.spec.task)(TaskContext(document, scratch, results, progress, threads))
    return task.check(FetchedDataset(folder, {}, str(folder)))


def bare(task: Task) -> Bare:
    """The library's own training."""
    train: Bare = import_module(f"bench.training.{SUBJECTS[task].bare}").train
    return train
