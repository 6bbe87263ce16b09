"""Two processes that train one model: killed anywhere and resumed, they equal two that never were, bit for bit.

On the CPU, by gloo. The other rank is forked from this process where that is all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.loop import company
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import Task, TaskContext
from modelyard_trainer.tasks.classification.task import ClassificationTask
from modelyard_trainer.tasks.face_id.task import FaceIdTask
from modelyard_trainer.tasks.reid.task import ReidTask
from torch import nn

from examples.animals import make_sightings
from examples.digits import make_folders
from tests.training import test_resumed_classifier, test_resumed_face_id, test_resumed_reid
from tests.training.resuming import EXACT, Reference, checked, undisturbed
from tests.training.trainings import Shelf
from tests.unit.trainer.datasets import run_document

BETWEEN, BEFORE_VALIDATION = Position(1, 4), Position(2, 5)
"""Between two steps of the optimizer, each of two batches; and after the last batch of one of the classifier's epochs,
which are a batch of three pictures shorter than with one process: a lone one would be left to one of two."""
pytestmark = [*EXACT, pytest.mark.usefixtures("forked_ranks")]


def _two(
    task: Callable[[TaskContext, int], Task],
    settings: Mapping[str, Any],
    dataset: Mapping[str, str],
    factory: pytest.TempPathFactory,
    kept: Collection[Position] = (BETWEEN,),
    **options: Any,
) -> Reference:
    document = run_document(**{**settings, "dataset": dataset})
    folder = factory.mktemp("reference")
    return undisturbed(task, document, folder, kept, processes=2, **options)


@pytest.fixture(scope="module")
def classifier(
    tmp_path_factory: pytest.TempPathFactory, one_cpu_and_every_batch_counts: None, forked_ranks: None
) -> Reference:
    folder = tmp_path_factory.mktemp("digits")
    make_folders.make(folder, images=29, size=32)
    dataset = {"path": str(folder), "format": "image-folder"}
    files = ("best.pt", "last.pt", "epoch2.pt")
    kept = [BETWEEN, BEFORE_VALIDATION]
    return _two(ClassificationTask, test_resumed_classifier.SETTINGS, dataset, tmp_path_factory, kept, files=files)


@pytest.mark.parametrize("position", [BETWEEN, BEFORE_VALIDATION], ids=["between two steps", "before a validation"])
def test_a_resumed_classifier_equals_one_that_was_never_killed(
    classifier: Reference, position: Position, tmp_path: Path
) -> None:
    classifier.assert_resumes(position, tmp_path, workers=2 if position is BETWEEN else 0)


def test_told_to_stop_within_an_accumulation_they_end_with_the_step(classifier: Reference, tmp_path: Path) -> None:
    classifier.assert_stops_and_goes_on(Position(1, 2), BETWEEN, tmp_path)


def test_processes_that_are_killed_after_a_checkpoint_are_made_up_for(classifier: Reference, tmp_path: Path) -> None:
    classifier.assert_outlives_a_kill(test_resumed_classifier.SETTINGS, tmp_path)


def test_a_process_of_its_own_and_a_shared_cache_train_the_same(
    classifier: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "START", "spawn")
    cached = classifier.document.model_copy(update={"image_cache": "memory"})
    classifier.assert_equal(classifier.fit(tmp_path, Shelf(classifier.end.__eq__), cached))


@pytest.mark.parametrize(
    ("task", "settings", "kind"),
    [
        (ClassificationTask, test_resumed_classifier.SETTINGS, "image-folder"),
        (FaceIdTask, test_resumed_face_id.SETTINGS, "image-folder"),
        (ReidTask, test_resumed_reid.SETTINGS, "market1501"),
    ],
)
def test_one_process_validates_no_more_pictures_together_than_it_trains_on(
    task: type[ClassificationTask | FaceIdTask | ReidTask], settings: Mapping[str, Any], kind: str, tmp_path: Path
) -> None:
    if kind == "image-folder":
        make_folders.make(tmp_path / "data", images=60, size=32)
    else:
        make_sightings.make(tmp_path / "data", individuals=8, pictures=2, height=32)
    document = run_document(**{**settings, "dataset": {"path": str(tmp_path / "data"), "format": kind}})
    document = document.model_copy(update={"batch_size": 6})
    data = checked(task, document, tmp_path / "checked")
    context = TaskContext(document, tmp_path, tmp_path, Progress(1, 1, 1), cpus=1, processes=2)
    seen: list[int] = []
    with task(context, 0)._recipe(data, "cpu") as recipe:
        first = next(layer for layer in recipe.model.modules() if isinstance(layer, nn.Conv2d))
        first.register_forward_pre_hook(lambda _layer, given: seen.append(len(given[0])))
        recipe.learner.validate(recipe.model.eval(), lambda: None)
    assert max(seen) == 3


def test_a_resumed_identifier_equals_one_that_was_never_killed(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    make_folders.make(tmp_path / "digits", images=60, size=32)
    dataset = {"path": str(tmp_path / "digits"), "format": "image-folder"}
    settings = test_resumed_face_id.SETTINGS
    settings = {**settings, "training": {**settings["training"], "batchSize": 8}}
    identifier = _two(FaceIdTask, settings, dataset, tmp_path_factory)
    identifier.assert_resumes(BETWEEN, tmp_path, workers=0)


def test_a_resumed_reidentifier_equals_one_that_was_never_killed(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    make_sightings.make(tmp_path / "sightings", individuals=8, pictures=2, height=32)
    dataset = {"path": str(tmp_path / "sightings"), "format": "market1501"}
    settings = test_resumed_reid.SETTINGS
    settings = {**settings, "training": {**settings["training"], "epochs": 2}}
    reidentifier = _two(ReidTask, settings, dataset, tmp_path_factory)
    reidentifier.assert_resumes(BETWEEN, tmp_path, workers=0)
