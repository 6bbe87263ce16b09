"""Names of architectures, and what is said of those that are not there."""

from __future__ import annotations

import pytest
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.detection.architecture import architectures, find_architecture


@pytest.mark.parametrize(
    ("name", "file", "stride"),
    [
        ("yolov5nu", "yolov5n.yaml", 32),
        ("yolov5x6u", "yolov5x-p6.yaml", 64),
        ("yolov3u", "yolov3.yaml", 32),
        ("yolov3-tinyu", "yolov3-tiny.yaml", 32),
        ("yolov8n", "yolov8n.yaml", 32),
        ("yolov8s-p2", "yolov8s-p2.yaml", 32),
        ("yolov9c", "yolov9c.yaml", 32),
        ("yolov10b", "yolov10b.yaml", 32),
        ("yolo11m", "yolo11m.yaml", 32),
        ("yolo26n", "yolo26n.yaml", 32),
    ],
)
def test_a_known_name_has_its_file_and_stride(name: str, file: str, stride: int) -> None:
    found = find_architecture(name)
    assert (found.file, found.stride) == (file, stride)


@pytest.mark.parametrize(
    ("name", "nearest"), [("yolov5n", "yolov5nu"), ("yolov11n", "yolo11n"), ("yolo26", "yolo26n"), ("resnet50", "yolo")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(RunError, match=rf"ultralytics has no {name}; nearest are .*{nearest}") as refused:
        find_architecture(name)
    assert refused.value.reason is Reason.ARCHITECTURE_UNKNOWN


def test_only_detectors_are_offered() -> None:
    names = set(architectures())
    assert not [name for name in names if any(part in name for part in ("-seg", "-cls", "-pose", "-obb", "rtdetr"))]
    assert len(names) > 60
