"""A detector's mAP and pycocotools' of the same predictions: but for how the curve is summed they are the same number.

Ours is ultralytics', so that it can be compared with what its users know. Both find the true positives alike and look
at the best precision from 101 recalls on. COCO takes the mean, each at the next recall that was reached, and 0 where
none was; ultralytics draws straight lines from 1 at recall 0 through what was reached, and takes the area below.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from modelyard_trainer.tasks.detection.offline import prepare
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE, CLASSES = 160, 3
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Scene:
    """Objects in a picture and what was predicted; boxes are left, top, right, bottom in pixels."""

    truth: NDArray[np.float32]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


def scenes(seed: int, pictures: int = 40) -> list[Scene]:
    """Some objects found well, some badly, some twice, some as another class, some not; some predicted from nothing."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(pictures):
        count = int(draw.integers(1, 6))
        corners, sizes = draw.uniform(0, SIDE * 0.6, (count, 2)), draw.uniform(12, SIDE * 0.4, (count, 2))
        truth, labels = np.hstack([corners, corners + sizes]).astype(np.float32), draw.integers(0, CLASSES, count)
        kept = np.flatnonzero(draw.random(count) < 0.85)
        again = np.concatenate([kept, kept[draw.random(len(kept)) < 0.3]])
        near = truth[again] + draw.normal(scale=2.5, size=(len(again), 4)).astype(np.float32)
        stray = np.hstack([start := draw.uniform(0, SIDE / 2, (2, 2)), start + draw.uniform(10, 60, (2, 2))])
        boxes = np.vstack([near, stray]).astype(np.float32)
        classes = np.concatenate([labels[again], draw.integers(0, CLASSES, 2)])
        mistaken = draw.random(len(classes)) < 0.1
        classes[mistaken] = draw.integers(0, CLASSES, int(mistaken.sum()))
        scores = np.clip(draw.normal(0.6, 0.2, len(boxes)) - 0.3 * (np.arange(len(boxes)) >= len(near)), 0.01, 0.99)
        order = np.argsort(-scores)  # as non-maximum suppression leaves them
        found.append(Scene(truth, labels, boxes[order], classes[order], scores[order].astype(np.float32)))
    return found


def ours(given: Sequence[Scene], folder: Path) -> tuple[float, float]:
    """mAP50 and mAP50-95 by what `evaluate` measures with."""
    from modelyard_trainer.tasks.detection.evaluate import Examiner  # noqa: PLC0415 - after `prepare`
    from ultralytics.cfg import get_cfg  # noqa: PLC0415

    examiner = Examiner(
        dataloader=SimpleNamespace(dataset=None), save_dir=folder, args=get_cfg(overrides={"plots": False})
    )
    examiner.data, examiner.device = {"val": ""}, torch.device("cpu")
    examiner.init_metrics(SimpleNamespace(names={number: str(number) for number in range(CLASSES)}))
    for scene in given:
        left, top, right, bottom = torch.from_numpy(scene.truth / np.float32(SIDE)).T
        count = len(scene.labels)
        batch: dict[str, Any] = {
            "batch_idx": torch.zeros(count),
            "cls": torch.from_numpy(scene.labels)[:, None].float(),
            "bboxes": torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], 1),
            "ori_shape": [(SIDE, SIDE)],
            "ratio_pad": [((1.0, 1.0), (0.0, 0.0))],
            "im_file": ["picture.jpg"],
            "img": torch.zeros(1, 3, SIDE, SIDE),
        }
        prediction = {
            "bboxes": torch.from_numpy(scene.boxes),
            "conf": torch.from_numpy(scene.scores),
            "cls": torch.from_numpy(scene.classes).float(),
        }
        examiner.sheet = [None] * 100  # type: ignore[list-item]  # draws nothing
        examiner.update_metrics([prediction], batch)
    found = examiner.get_stats()
    return float(found["metrics/mAP50(B)"]), float(found["metrics/mAP50-95(B)"])


def pycocotools(given: Sequence[Scene]) -> tuple[float, float]:
    """The same of pycocotools."""

    def boxed(box: NDArray[np.float32]) -> dict[str, Any]:
        left, top, right, bottom = map(float, box)
        return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}

    objects = [
        {"image_id": picture, "category_id": int(label), "iscrowd": 0, **boxed(box)}
        for picture, scene in enumerate(given)
        for box, label in zip(scene.truth, scene.labels, strict=True)
    ]
    predictions = [
        {"image_id": picture, "category_id": int(label), "score": float(score), **boxed(box)}
        for picture, scene in enumerate(given)
        for box, label, score in zip(scene.boxes, scene.classes, scene.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": picture} for picture in range(len(given))],
            "categories": [{"id": number} for number in range(CLASSES)],
            "annotations": [{"id": number + 1, **each} for number, each in enumerate(objects)],
        }
        truth.createIndex()
        examined = COCOeval(truth, truth.loadRes(predictions), "bbox")
        examined.evaluate()
        examined.accumulate()
        examined.summarize()
    return float(examined.stats[1]), float(examined.stats[0])


def summed_as_coco(recall: NDArray[Any], precision: NDArray[Any]) -> tuple[float, NDArray[Any], NDArray[Any]]:
    """ultralytics' `compute_ap` with COCO's sum; what it also returns is for a plot."""
    best = np.flip(np.maximum.accumulate(np.flip(precision)))
    places = np.searchsorted(recall, RECALLS, side="left")
    reached = np.append(best, 0.0)[np.minimum(places, len(best))]
    return float(reached.mean()), np.array([1.0, 0.0]), np.array([0.0, 1.0])


@pytest.mark.parametrize("seed", range(3))
def test_map_is_that_of_pycocotools_but_for_how_the_curve_is_summed(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, 1)
    from ultralytics.utils import metrics  # noqa: PLC0415

    given = scenes(seed)
    theirs, plain = pycocotools(given), ours(given, tmp_path)
    assert 0.2 < theirs[1] < theirs[0] < 0.95
    assert plain == pytest.approx(theirs, abs=0.01)
    monkeypatch.setattr(metrics, "compute_ap", summed_as_coco)
    assert ours(given, tmp_path) == pytest.approx(theirs, abs=1e-6)
    assert plain != pytest.approx(theirs, abs=1e-6)
