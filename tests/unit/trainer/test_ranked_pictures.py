"""The picture of who was found: who stands where, and in which frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.dataset.reid import Seen, Target
from modelyard_trainer.tasks.reid.ranked import chosen_queries, draw_ranked
from numpy.typing import NDArray
from PIL import Image

SHOWN = 128
RIGHT, WRONG, QUERY = (0, 158, 115), (213, 94, 0), (0, 0, 0)


def seen(folder: Path, name: str, persons: list[int], cameras: list[int], greys: list[int]) -> Seen:
    """Pictures of one grey each, by which they are known again."""
    made = []
    for number, grey in enumerate(greys):
        path = folder / f"{name}{number}.png"
        Image.new("RGB", (32, 32), (grey, grey, grey)).save(path)
        whole = Objects(np.zeros(1, np.int64), np.array([[0.5, 0.5, 1, 1]], np.float32))
        made.append(Picture(path.name, path, 32, 32, whole))
    return Seen(tuple(made), np.array(persons), np.array(cameras), np.zeros(len(persons), np.int64))


def frames(sheet: NDArray[np.uint8], row: int) -> list[tuple[tuple[int, ...], int]]:
    """Colour of the frame and grey of the picture, from left to right, by walking along the middle of a row."""
    height = SHOWN + 2 * 3 + 4
    line = [tuple(pixel) for pixel in sheet[row * height + height // 2].tolist()]
    known = {RIGHT, WRONG, QUERY}
    starts = [at for at in range(1, len(line)) if line[at] in known and line[at - 1] == (255, 255, 255)]
    return [(line[at], line[at + 10][0]) for at in ([0] if line[0] in known else []) + starts]


def test_frames_say_who_is_looked_for_and_who_was_found_rightly(tmp_path: Path) -> None:
    query = seen(tmp_path, "query", persons=[7, 8], cameras=[1, 2], greys=[10, 20])
    gallery = seen(tmp_path, "gallery", persons=[7, 8, 7, 9, 8], cameras=[1, 1, 2, 3, 2], greys=[30, 40, 50, 60, 70])
    # Person 7's nearest is by the query's own camera and does not count; so is person 8's second.
    distances = np.array([[0.1, 0.3, 0.2, 0.4, 0.5], [0.4, 0.3, 0.5, 0.1, 0.2]], np.float32)
    path = tmp_path / "ranked.png"
    draw_ranked(Target("t", query, gallery), np.array([0, 1]), distances, size=(32, 32), places=3, path=path)
    with Image.open(path) as opened:
        sheet = np.asarray(opened.convert("RGB"))
    assert frames(sheet, 0) == [(QUERY, 10), (RIGHT, 50), (WRONG, 40), (WRONG, 60)]
    assert frames(sheet, 1) == [(QUERY, 20), (WRONG, 60), (RIGHT, 40), (WRONG, 30)]


def test_the_queries_that_are_shown_go_from_the_first_to_the_last(tmp_path: Path) -> None:
    del tmp_path
    nobody = Seen((), *(np.zeros(0, np.int64),) * 3)
    for count, expected in ((3, [0, 1, 2]), (100, [0, 14, 28, 42, 56, 70, 84, 99])):
        some = Seen((None,) * count, *(np.zeros(count, np.int64),) * 3)  # type: ignore[arg-type]
        assert chosen_queries(Target("t", some, nobody)).tolist() == expected
