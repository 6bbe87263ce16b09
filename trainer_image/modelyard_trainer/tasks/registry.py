"""Which task does what: the entry points of group `modelyard.tasks`, of this package or of any other installed one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from modelyard_api.outcome import Reason
from modelyard_api.spec import Task as TaskName

from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.base import Task, TaskContext

GROUP = "modelyard.tasks"
_BUILT_IN = {
    TaskName.DETECTION: "modelyard_trainer.tasks.detection.task:DetectionTask",
    TaskName.CLASSIFICATION: "modelyard_trainer.tasks.classification.task:ClassificationTask",
    TaskName.FACE_ID: "modelyard_trainer.tasks.face_id.task:FaceIdTask",
    TaskName.REID: "modelyard_trainer.tasks.reid.task:ReidTask",
}


def load_task(name: TaskName) -> Callable[[TaskContext], Task]:
    """The class of the task: an installed plug-in's where there is one, ours otherwise.

    Raises:
        RunError: SpecInvalid; nothing here trains that task.
    """
    for entry in entry_points(group=GROUP, name=name.value):
        return cast("Callable[[TaskContext], Task]", entry.load())
    if name not in _BUILT_IN:
        raise RunError(
            Reason.SPEC_INVALID,
            f"spec.task: this trainer does not train {name.value}; {', '.join(_BUILT_IN)} would be right",
        )
    module, _, attribute = _BUILT_IN[name].partition(":")
    imported = __import__(module, fromlist=[attribute])
    return cast("Callable[[TaskContext], Task]", getattr(imported, attribute))
