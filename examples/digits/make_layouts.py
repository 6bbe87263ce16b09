"""Lay the pictures of `make_dataset.py` out as others keep theirs: as COCO, and in folders for each split.

python -m examples.digits.make_layouts /tmp/digits /tmp/digits-coco --layout coco
python -m examples.digits.make_layouts /tmp/digits /tmp/digits-split --layout split
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import yaml
from PIL import Image

from examples.folders import begin, write_checksums

SPLIT = ("train", "train", "train", "val", "test")
"""Which split the pictures go to, in turn."""


def main() -> None:
    """Read the arguments and write the folder."""
    layouts = {"coco": as_coco, "split": as_split}
    parser = argparse.ArgumentParser(description="Lay the digits data set out as others keep theirs.")
    parser.add_argument("source", type=Path, help="folder that make_dataset.py has written")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layout", choices=layouts, required=True)
    arguments = parser.parse_args()
    layouts[arguments.layout](arguments.source, arguments.folder)


def as_coco(source: Path, folder: Path) -> None:
    """images/ and annotations/instances.json, whose boxes are [left, top, width, height] in pixels.

    Args:
        source: what `make_dataset.make` has written.
        folder: where to; it is made if it is not there, and must otherwise be empty.
    """
    begin(folder)
    shutil.copytree(source / "images", folder / "images")
    names = yaml.safe_load((source / "data.yaml").read_text())["names"]
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, picture in enumerate(_pictures(source), start=1):
        with Image.open(picture) as opened:
            width, height = opened.size
        images.append({"id": number, "file_name": picture.name, "width": width, "height": height})
        for line in _label(picture).read_text().splitlines():
            digit, x, y, w, h = (float(word) for word in line.split())
            box = [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(digit) + 1,  # COCO's own ids begin at 1
                    "bbox": [round(each, 3) for each in box],
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": 0,
                }
            )
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances.json").write_text(
        json.dumps(
            {
                "images": images,
                "annotations": annotations,
                "categories": [{"id": digit + 1, "name": name} for digit, name in names.items()],
            }
        )
    )
    write_checksums(folder)


def as_split(source: Path, folder: Path) -> None:
    """images/train, images/val and images/test with labels/ beside them, three in five pictures to train on.

    Args:
        source: what `make_dataset.make` has written.
        folder: where to; it is made if it is not there, and must otherwise be empty.
    """
    begin(folder)
    for number, picture in enumerate(_pictures(source)):
        split = SPLIT[number % len(SPLIT)]
        for path in (picture, _label(picture)):
            place = folder / path.parent.name / split
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / path.name)
    description = yaml.safe_load((source / "data.yaml").read_text())
    places = {split: f"images/{split}" for split in dict.fromkeys(SPLIT)}
    (folder / "data.yaml").write_text(yaml.safe_dump({**description, **places}, sort_keys=False))
    write_checksums(folder)


def _pictures(source: Path) -> list[Path]:
    return sorted((source / "images").iterdir())


def _label(picture: Path) -> Path:
    return picture.parents[1] / "labels" / f"{picture.stem}.txt"


if __name__ == "__main__":
    main()
