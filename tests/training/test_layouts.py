"""The digits laid out as others keep theirs are the same digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from modelyard_api.spec import DatasetFormat

from examples.digits.make_dataset import make
from examples.digits.make_layouts import as_coco, as_split
from tests.unit.trainer.test_dataset_check import check

PICTURES, SIZE = 10, 96
HUNDREDTH_OF_A_PIXEL = 0.01 / SIZE


@pytest.mark.parametrize(
    ("lay_out", "layout", "sides"),
    [(as_coco, DatasetFormat.COCO, (8, 2, 0)), (as_split, DatasetFormat.YOLO, (6, 2, 2))],
)
def test_every_picture_has_the_boxes_that_it_was_made_with(
    lay_out: Callable[[Path, Path], None], layout: DatasetFormat, sides: tuple[int, int, int], tmp_path: Path
) -> None:
    make(tmp_path / "digits", images=PICTURES, size=SIZE)
    lay_out(tmp_path / "digits", tmp_path / "other")
    made, other = check(tmp_path / "digits"), check(tmp_path / "other", layout)
    assert other.classes == made.classes
    assert (len(other.training), len(other.validation), len(other.test)) == sides
    boxes = {Path(picture.name).name: picture.objects for picture in made.pictures}
    for picture in other.pictures:
        wanted = boxes.pop(Path(picture.name).name)
        np.testing.assert_array_equal(picture.objects.classes, wanted.classes)
        np.testing.assert_allclose(picture.objects.boxes, wanted.boxes, rtol=0, atol=HUNDREDTH_OF_A_PIXEL)
    assert not boxes
