"""ultralytics' trainer, made to do what was asked. Imports ultralytics: `offline.prepare` comes first."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from modelyard_api.outcome import Reason
from torch.nn import SyncBatchNorm
from ultralytics.engine import trainer as engine
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import unwrap_model

from modelyard_trainer.checkpoints.model import Position, Snapshot
from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop.batches import without_a_rest
from modelyard_trainer.loop.freezing import Freezing
from modelyard_trainer.loop.guard import Guard, Watch
from modelyard_trainer.loop.loader import EpochLoader
from modelyard_trainer.loop.ranks import ALONE, Ranks
from modelyard_trainer.tasks.detection.loader import OrderedPictures
from modelyard_trainer.tasks.detection.loop import EpochLoop
from modelyard_trainer.tasks.detection.pictures import CheckedPictures, picture_options
from modelyard_trainer.tasks.detection.state import capture, restore
from modelyard_trainer.weights.model import Start

# Mixed precision is applied as asked; ultralytics would first compare it on weights that it downloads.
engine.check_amp = lambda _model: True


class YardTrainer(DetectionTrainer):  # type: ignore[misc]
    """Trains on checked pictures and reports.

    Different from ultralytics on purpose:

    - The loop is ours (`EpochLoop`): it stops at any batch, and goes on from there bit for bit.
    - Out of memory ends the attempt at once: the operator starts the next one with half the batch, instead of three
      silent halvings in here.
    - A loss that is no number ends it too, instead of three silent returns to the last checkpoint.
    - Weights are handed out as tensors; nothing is pickled.
    - What is frozen may thaw.
    - Each epoch is validated once; the best weights are evaluated elsewhere, from the file that is published.

    Args:
        arguments: ultralytics' own.
        classes: names, in the order of their ids.
        training, validation: the pictures.
        watch: who is told.
        guard: who keeps snapshots.
        start: gives the network weights to begin with; None to leave them random.
        freezing: says what of the network is not trained.
        streams: see `Order`.
        resume: what to go on from, as `guard.keep` was given it.
        workers: processes that load training pictures; as asked for on a GPU, and none without one, unless given here.
        ranks: who train together. ultralytics knows nothing of them: to it each is a process alone.
        at_once: pictures that one of them has of a batch. Twice as many are validated together.
    """

    best_fitness: float | None

    def __init__(
        self,
        arguments: dict[str, object],
        classes: Sequence[str],
        training: Sequence[Picture],
        validation: Sequence[Picture],
        *,
        watch: Watch,
        guard: Guard,
        freezing: Callable[[Any], Freezing],
        start: Callable[[Any], Start | None] | None = None,
        streams: int | None,
        resume: Snapshot | None = None,
        workers: int | None = None,
        ranks: Ranks = ALONE,
        at_once: int,
    ) -> None:
        self.ranks, self._at_once = ranks, at_once
        self._asked = arguments
        self._classes = classes
        self._pictures = {"train": training, "val": validation}
        self._watch, self._guard, self._freezing = watch, guard, freezing
        self._streams, self._begin = streams, start
        self.began: Start | None = None
        """What the network began with."""
        self._snapshot = resume
        self._workers = workers
        self._start = Position(0)
        super().__init__(overrides=arguments, _callbacks=defaultdict(list))
        self.pending = 0
        """Batches since the last optimizer step."""

    def get_dataset(self) -> dict[str, Any]:
        """The data set is checked already; this only names its classes."""
        names = {0: "item"} if self.args.single_cls else dict(enumerate(self._classes))
        return {"names": names, "nc": len(names), "channels": 3, "train": "train", "val": "val"}

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """The network, with the weights that it begins with."""
        model = super().get_model(cfg, weights, verbose)
        if self.ranks.count > 1 and self.device.type == "cuda":
            model = SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        if self._begin is not None:
            self.began = self._begin(model)
        return model

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> CheckedPictures:
        """The checked pictures of the split named `img_path`."""
        options = picture_options(
            self.args,
            list(self.data["names"].values()),
            training=mode == "train",
            batch=batch or self.batch_size,
            stride=max(int(unwrap_model(self.model).stride.max()), 32),
        ) | {"filled": self.ranks.rank > 0}  # by the first, which goes first
        if mode != "train":
            return CheckedPictures(self._pictures[img_path], **options)
        return OrderedPictures(
            self._pictures[img_path],
            seed=self.args.seed,
            streams=self._streams,
            plain_from=self.epochs - self.args.close_mosaic,
            **options,
        )

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Training pictures in an order without history; those of the validation as ultralytics loads them."""
        if mode != "train":
            return super().get_dataloader(dataset_path, 2 * self._at_once, rank, mode)
        pictures = self.build_dataset(dataset_path, mode, batch_size)
        # ultralytics trains on a lone picture where it is large enough; no rank may have none.
        fewest = 2 * self.ranks.count if self.ranks.count > 1 else 1
        self.pictures = without_a_rest(len(pictures), pictures.order.batch_size, fewest)
        batches = -(-self.pictures // batch_size)
        wanted = self.args.workers if self._workers is None else self._workers
        workers = min(wanted, os.cpu_count() or 1, batches if batches > 1 else 0)
        return EpochLoader(
            pictures,
            pictures.order.batch_size,
            workers,
            collate=pictures.collate_fn,
            pin_memory=self.device.type == "cuda",
            ranks=self.ranks,
            count=self.pictures,
        )

    def _build_train_pipeline(self) -> None:
        """As ultralytics does, but keep `max_det` as asked: it would raise it to what the data set holds."""
        super()._build_train_pipeline()
        self.args.max_det = self._asked["max_det"]

    def resume_training(self, ckpt: object) -> None:  # noqa: ARG002 - the signature is ultralytics'
        """Go on from our own snapshot; called at the end of the set-up."""
        if self._snapshot is not None:
            self._start = restore(self, self._snapshot.position, self._snapshot.state)
            self._snapshot = None  # its tensors take as much memory as the training's

    def validate(self) -> tuple[dict[str, float], float]:
        """The metrics of the averaged model on the validation pictures, and their fitness; the best one is noted."""
        metrics: dict[str, float] = self.ranks.from_first(lambda: self.validator(self))
        fitness = metrics.pop("fitness")
        if self.best_fitness is None or self.best_fitness < fitness:
            self.best_fitness = fitness
        return metrics, fitness

    def _do_train(self) -> None:
        """Set up, then our own loop."""
        with self.ranks.first_goes_first():  # it fills a cache on the disk
            self._setup_train()
        self._check_arguments()
        if self.ranks.count > 1:
            self._start, numbers = self.ranks.from_first(lambda: (self._start, capture(self)))
            if self.ranks.rank:
                restore(self, self._start, numbers)
        loop = EpochLoop(self, self._watch, self._guard, self._freezing(unwrap_model(self.model)))
        self.validator.callbacks = defaultdict(list, on_val_batch_start=[lambda _validator: loop.heed()])
        try:
            loop.run(self._start)
        finally:
            for loader in (self.train_loader, self.test_loader):
                loader.close()
            self._clear_memory()

    def _check_arguments(self) -> None:
        """Whatever ultralytics changed by itself must not pass unseen."""
        on_cpu = self.device.type == "cpu"
        known = {"device", "model"} | ({"workers"} if on_cpu else set())  # without a GPU it loads pictures by itself
        changed = [
            f"{name} {wanted!r} became {getattr(self.args, name)!r}"
            for name, wanted in self._asked.items()
            if name not in known and getattr(self.args, name) != wanted
        ]
        for split, loader in (("training", self.train_loader), ("validation", self.test_loader)):
            cache = self.args.cache or None
            if loader.dataset.cache != cache:
                changed.append(f"cache {cache!r} became {loader.dataset.cache!r} for {split}: it does not fit")
        if changed:
            raise RunError(
                Reason.SPEC_INVALID, f"ultralytics would train something else than asked: {'; '.join(changed)}"
            )
