"""Every field that a person can write about training reaches ultralytics, and nothing else does by accident."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import reduce
from pathlib import Path

import pytest
from modelyard_api.base import ApiModel
from modelyard_api.detection import Detection
from modelyard_api.run_document import RunDocument
from modelyard_api.spec import ImageCache, Optimizer, OptimizerName, Schedule, ScheduleName, Training
from modelyard_trainer.tasks.detection.arguments import BATCH_FIELDS, OWN_FIELDS, TABLE, ultralytics_arguments
from modelyard_trainer.tasks.detection.offline import prepare

from tests.unit.trainer.datasets import run_document

MODELS: dict[str, type[ApiModel]] = {"training": Training, "detection": Detection}


def fields(model: type[ApiModel], path: str) -> Iterator[str]:
    """Every leaf of a model, as `training.optimizer.name`."""
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, ApiModel):
            yield from fields(inner, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


REFUSED = (
    "training.optimizer.beta2",
    "training.optimizer.eps",
    "training.optimizer.amsgrad",
    "training.schedule.step_epochs",
    "training.schedule.milestones",
    "training.schedule.gamma",
    "training.schedule.restart_epochs",
    "training.schedule.eta_min",
    "training.compile",
    "training.evaluate_every",
    "training.gradient_clip",
    "training.ema_decay",
    "training.quantization",
)
"""Fields that the API refuses for detection."""
ALL_FIELDS = [path for name, model in MODELS.items() for path in fields(model, name)]


def test_every_field_is_mapped_once() -> None:
    mapped = [each.field for each in TABLE] + list(BATCH_FIELDS) + list(OWN_FIELDS)
    assert sorted([*mapped, *REFUSED]) == sorted(ALL_FIELDS)
    arguments = [each.argument for each in TABLE]
    assert len(set(arguments)) == len(arguments)


def test_every_argument_is_one_that_ultralytics_knows_and_takes_as_it_is(tmp_path: Path) -> None:
    prepare(tmp_path, threads=1)
    from ultralytics.cfg import DEFAULT_CFG_DICT, get_cfg  # noqa: PLC0415 - only after `prepare`

    asked = ultralytics_arguments(run_document(), "yolov5n.yaml", "cpu")
    assert set(asked) <= set(DEFAULT_CFG_DICT)
    taken = vars(get_cfg(overrides=dict(asked)))
    assert {name: taken[name] for name in asked} == asked


def changed(field: str) -> RunDocument:
    """A document in which only this field has another value than by default."""
    section, *path = field.split(".")
    block = reduce(getattr, path[:-1], MODELS[section]())
    old = getattr(block, path[-1])
    new: object
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, Enum):
        new = next(member for member in type(old) if member is not old)
    else:
        new = old + 1 if isinstance(old, int) else (old or 0.5) / 2
    update: ApiModel = block.model_copy(update={path[-1]: new})
    for depth in range(len(path) - 2, -1, -1):
        outer = reduce(getattr, path[:depth], MODELS[section]())
        update = outer.model_copy(update={path[depth]: update})
    document = run_document(training={}, detection={})
    return document.model_copy(update={"spec": document.spec.model_copy(update={section: update})})


@pytest.mark.parametrize("each", TABLE, ids=lambda each: each.field)
def test_a_changed_field_changes_its_argument_and_no_other(each: object) -> None:
    assert hasattr(each, "field")
    assert hasattr(each, "argument")
    usual = ultralytics_arguments(run_document(training={}, detection={}), "yolov5n.yaml", "cpu")
    asked = ultralytics_arguments(changed(each.field), "yolov5n.yaml", "cpu")
    assert {name for name in asked if asked[name] != usual[name]} == {each.argument}


def test_a_halved_batch_makes_the_same_steps() -> None:
    document = run_document(training={"batchSize": 32, "gradientAccumulation": 2})
    whole = ultralytics_arguments(document.model_copy(update={"batch_size": 32}), "yolov5n.yaml", "cpu")
    half = ultralytics_arguments(document.model_copy(update={"batch_size": 16}), "yolov5n.yaml", "cpu")
    assert (whole["batch"], whole["nbs"]) == (32, 64)
    assert (half["batch"], half["nbs"]) == (16, 64)


def test_what_an_attempt_is_to_do_otherwise_reaches_ultralytics() -> None:
    document = run_document(training={"batchSize": 32, "gradientAccumulation": 2, "workers": 8, "cache": "memory"})
    document = document.model_copy(update={"batch_size": 32})
    less = {"batch_size": 16, "effective_batch_size": 32, "loader_workers": 4, "image_cache": ImageCache.NONE}
    usual = ultralytics_arguments(document, "yolov5n.yaml", "cpu")
    asked = ultralytics_arguments(
        document.model_copy(update={**less, "learning_rate_factor": 0.5}), "yolov5n.yaml", "cpu"
    )
    found = {name: value for name, value in asked.items() if value != usual[name]}
    assert found == {
        "batch": 16,
        "nbs": 32,
        "workers": 4,
        "cache": False,
        "lr0": pytest.approx(5e-4),
        "warmup_bias_lr": pytest.approx(0.05),
    }


@pytest.mark.parametrize("name", list(OptimizerName))
def test_every_optimizer_is_one_of_ultralytics(name: OptimizerName) -> None:
    spec = Training(optimizer=Optimizer(name=name), schedule=Schedule(name=ScheduleName.LINEAR))
    document = run_document()
    document = document.model_copy(update={"spec": document.spec.model_copy(update={"training": spec})})
    asked = ultralytics_arguments(document, "yolov5n.yaml", "cpu")
    assert asked["optimizer"] in {"Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSprop", "SGD"}
    assert asked["cos_lr"] is False
