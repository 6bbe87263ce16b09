"""ultralytics' trainer, made to do what was asked. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard_api.outcome import Reason
from ultralytics.engine import trainer as engine
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import unwrap_model

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.detection.pictures import CheckedPictures, picture_options

if TYPE_CHECKING:
    from torch import Tensor

# Mixed precision is applied as asked; ultralytics would first compare it on weights that it downloads.
engine.check_amp = lambda _model: True

_METRICS = {
    "metrics/mAP50(B)": "mAP50",
    "metrics/mAP50-95(B)": "mAP50-95",
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
}
FITNESS = "mAP50-95"
"""The metric that ultralytics compares epochs by."""
_NEVER_RETRY = 3
"""As many as ultralytics makes of its own after running out of memory."""


@dataclass(frozen=True)
class Watch:
    """What is called while training goes on. Epochs and steps count from 1."""

    step: Callable[[int, int, int, Mapping[str, Tensor]], None]
    epoch: Callable[[int, Mapping[str, float], bool, Mapping[str, Any]], None]
    """(epoch, metrics, whether it is the best so far, weights of the averaged model)"""


class YardTrainer(DetectionTrainer):  # type: ignore[misc]
    """Trains on checked pictures and reports.

    Different from ultralytics on purpose:

    - Out of memory ends the attempt at once: the operator starts the next one with half the batch, instead of three
      silent halvings in here.
    - A loss that is no number ends it too, instead of three silent returns to the last checkpoint.
    - Weights are handed out as tensors; nothing is pickled.
    - Each epoch is validated once; the best weights are evaluated elsewhere, from the file that is published.
    """

    def __init__(
        self,
        arguments: dict[str, object],
        classes: Sequence[str],
        training: Sequence[Picture],
        validation: Sequence[Picture],
        watch: Watch,
    ) -> None:
        self._asked = arguments
        self._classes = classes
        self._pictures = {"train": training, "val": validation}
        self._watch = watch
        super().__init__(overrides=arguments, _callbacks=defaultdict(list))
        self.add_callback("on_train_start", _check_arguments)
        self.add_callback("on_train_epoch_start", _forbid_retries)
        self.add_callback("on_train_batch_end", _tell_step)

    @property
    def asked(self) -> dict[str, object]:
        """The arguments that were asked for."""
        return self._asked

    @property
    def watch(self) -> Watch:
        """Who is told."""
        return self._watch

    def get_dataset(self) -> dict[str, Any]:
        """The data set is checked already; this only names its classes."""
        names = {0: "item"} if self.args.single_cls else dict(enumerate(self._classes))
        return {"names": names, "nc": len(names), "channels": 3, "train": "train", "val": "val"}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> CheckedPictures:
        """The checked pictures of the split named `img_path`."""
        options = picture_options(
            self.args,
            list(self.data["names"].values()),
            training=mode == "train",
            batch=batch or self.batch_size,
            stride=max(int(unwrap_model(self.model).stride.max()), 32),
        )
        return CheckedPictures(self._pictures[img_path], **options)

    def _build_train_pipeline(self) -> None:
        """As ultralytics does, but keep `max_det` as asked: it would raise it to what the data set holds."""
        super()._build_train_pipeline()
        self.args.max_det = self._asked["max_det"]

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """End the attempt when a loss of this epoch was not a number."""
        losses = {name: float(value) for name, value in (self.tloss or {}).items()}
        if not all(math.isfinite(value) for value in losses.values()):
            shown = ", ".join(f"{name} {value}" for name, value in losses.items())
            raise RunError(
                Reason.DIVERGED,
                f"the loss is not a number any more in epoch {epoch + 1} ({shown}); a lower learning rate or a longer "
                "warm-up would be right",
            )
        return False

    def save_model(self) -> bool:
        """Hand out the averaged weights and the metrics of the epoch."""
        metrics = {name: float(self.metrics[key]) for key, name in _METRICS.items()}
        metrics |= {f"train/{name}": float(value) for name, value in self.tloss.items()}
        metrics |= {name: float(value) for name, value in self.metrics.items() if name.startswith("val/")}
        metrics["lr"] = float(self.lr["lr/pg0"])
        is_best = self.best_fitness == self.fitness
        self._watch.epoch(self.epoch + 1, metrics, is_best, self.ema.ema.state_dict())
        return True

    def save_metrics(self, metrics: object) -> None:
        """Leave results.csv unwritten: the metrics are published from one place."""

    def final_eval(self) -> None:
        """Leave the second validation of the best weights out: they are evaluated from the published file."""


def _check_arguments(trainer: YardTrainer) -> None:
    """Whatever ultralytics changed by itself must not pass unseen."""
    on_cpu = trainer.device.type == "cpu"
    known = {"device", "model"} | ({"workers"} if on_cpu else set())  # without a GPU it loads pictures by itself
    changed = [
        f"{name} {wanted!r} became {getattr(trainer.args, name)!r}"
        for name, wanted in trainer.asked.items()
        if name not in known and getattr(trainer.args, name) != wanted
    ]
    for split, loader in (("training", trainer.train_loader), ("validation", trainer.test_loader)):
        wanted = trainer.args.cache or None
        if loader.dataset.cache != wanted:
            changed.append(f"cache {wanted!r} became {loader.dataset.cache!r} for {split}: it does not fit")
    if changed:
        raise RunError(Reason.SPEC_INVALID, f"ultralytics would train something else than asked: {'; '.join(changed)}")


def _forbid_retries(trainer: YardTrainer) -> None:
    trainer._oom_retries = _NEVER_RETRY
    trainer.batches_done = 0


def _tell_step(trainer: YardTrainer) -> None:
    trainer.batches_done += 1
    # Reading a loss waits for the GPU, so that is left to the listener's pace.
    trainer.watch.step(trainer.epoch + 1, trainer.batches_done, len(trainer.train_loader), trainer.tloss or {})
