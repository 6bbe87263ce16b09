"""The example's training with the epochs that it takes to be good: the longest of all, which others run beside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples.digits.make_dataset import make
from tests.e2e.live_run import LiveRun
from tests.e2e.training_runs import example
from tests.e2e.yard import Yard

EPOCHS, SEED = 12, 42


@dataclass(frozen=True)
class Begun:
    """It, once it is applied; `dataset` is the folder that was uploaded for it."""

    run: LiveRun
    dataset: Path


def begin(yard: Yard, trainer_image: str, dataset: Path) -> Begun:
    """examples/digits.yaml with more epochs, applied; its data are made in `dataset`."""
    make(dataset, seed=SEED)
    story = example("digits-trained").for_epochs(EPOCHS).having(trainer_image, "resources", "image")
    yard.store.upload(dataset, story.body["spec"]["dataset"]["s3"]["uri"])
    (run,) = yard.start(story)
    return Begun(run, dataset)
