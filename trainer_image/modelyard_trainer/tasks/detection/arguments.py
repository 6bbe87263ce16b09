"""The spec as ultralytics' arguments: one table, so that nothing is forgotten and nothing said twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

from modelyard_api.detection import Detection
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import ImageCache, MixedPrecision, OptimizerName, ScheduleName


def _same(value: object) -> object:
    return value


@dataclass(frozen=True)
class Mapped:
    """A field of the spec and the argument of ultralytics that it becomes."""

    field: str
    argument: str
    convert: Callable[..., object] = _same


_AMP = {MixedPrecision.DISABLED: False, MixedPrecision.BF16: "bf16", MixedPrecision.FP16: True}
_CACHE = {ImageCache.NONE: False, ImageCache.MEMORY: "ram", ImageCache.DISK: "disk"}
_OPTIMIZER = {OptimizerName.RMSPROP: "RMSprop"}

TABLE: tuple[Mapped, ...] = (
    Mapped("training.epochs", "epochs"),
    Mapped("training.image_size", "imgsz"),
    Mapped("training.optimizer.name", "optimizer", lambda name: _OPTIMIZER.get(name, name.value)),
    Mapped("training.optimizer.learning_rate", "lr0"),
    Mapped("training.optimizer.momentum", "momentum"),
    Mapped("training.optimizer.weight_decay", "weight_decay"),
    Mapped("training.schedule.name", "cos_lr", lambda name: name is ScheduleName.COSINE),
    Mapped("training.schedule.warmup_epochs", "warmup_epochs"),
    Mapped("training.schedule.warmup_momentum", "warmup_momentum"),
    Mapped("training.schedule.warmup_bias_learning_rate", "warmup_bias_lr"),
    Mapped("training.schedule.final_fraction", "lrf"),
    Mapped("training.patience", "patience"),
    Mapped("training.seed", "seed"),
    Mapped("training.amp", "amp", _AMP.__getitem__),
    Mapped("training.workers", "workers"),
    Mapped("training.cache", "cache", _CACHE.__getitem__),
    Mapped("training.save_period", "save_period"),
    Mapped("training.deterministic", "deterministic"),
    Mapped("detection.loss.box", "box"),
    Mapped("detection.loss.cls", "cls"),
    Mapped("detection.loss.dfl", "dfl"),
    Mapped("detection.loss.cls_pw", "cls_pw"),
    Mapped("detection.augment.hsv_h", "hsv_h"),
    Mapped("detection.augment.hsv_s", "hsv_s"),
    Mapped("detection.augment.hsv_v", "hsv_v"),
    Mapped("detection.augment.degrees", "degrees"),
    Mapped("detection.augment.translate", "translate"),
    Mapped("detection.augment.scale", "scale"),
    Mapped("detection.augment.shear", "shear"),
    Mapped("detection.augment.perspective", "perspective"),
    Mapped("detection.augment.flipud", "flipud"),
    Mapped("detection.augment.fliplr", "fliplr"),
    Mapped("detection.augment.bgr", "bgr"),
    Mapped("detection.augment.mosaic", "mosaic"),
    Mapped("detection.augment.close_mosaic", "close_mosaic"),
    Mapped("detection.augment.mixup", "mixup"),
    Mapped("detection.augment.cutmix", "cutmix"),
    Mapped("detection.augment.copy_paste", "copy_paste"),
    Mapped("detection.augment.copy_paste_mode", "copy_paste_mode", lambda mode: mode.value),
    Mapped("detection.augment.multi_scale", "multi_scale"),
    Mapped("detection.validation.conf", "conf"),
    Mapped("detection.validation.iou", "iou"),
    Mapped("detection.validation.max_det", "max_det"),
    Mapped("detection.validation.agnostic_nms", "agnostic_nms"),
    Mapped("detection.single_class", "single_cls"),
    Mapped("detection.rect", "rect"),
)

OWN_FIELDS = ("training.freeze", "training.freeze_backbone", "training.freeze_epochs")
"""Our own loop does what these say: ultralytics can freeze, and not thaw."""

BATCH_FIELDS = ("training.batch_size", "training.gradient_accumulation")
"""These two become `batch` and `nbs` together.

ultralytics adds up the gradients of round(nbs / batch) passes and scales the weight decay by batch * passes / nbs. With
nbs = batchSize * gradientAccumulation, unless the attempt says otherwise, the step is what was asked for and the decay
is applied as written; and an attempt whose batch was halved after running out of memory makes the same steps in twice
as many passes.
"""


def ultralytics_arguments(document: RunDocument, model_file: str, device: str) -> dict[str, object]:
    """What to call ultralytics with; all that is not here stays at ultralytics' own default."""
    training = document.training
    sections = {"training": training, "detection": document.spec.detection or Detection()}
    arguments = {each.argument: each.convert(_value(sections, each.field)) for each in TABLE}
    return arguments | {
        "model": model_file,
        "device": device,
        "batch": document.batch_size,
        "nbs": document.step_size,
        "pretrained": False,
        "plots": False,
        "val": True,
        "save": True,
        "exist_ok": True,
        "verbose": True,
        "task": "detect",
        "mode": "train",
    }


def _value(sections: Mapping[str, object], field: str) -> object:
    section, *names = field.split(".")
    return reduce(getattr, names, sections[section])
