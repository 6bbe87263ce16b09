"""`make bench-images`: how large the images are, what a change of the code costs, how long a container takes to start.

A container's start is timed from `docker run` to its end, on an image that is there already; there is no network in it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelyard_cluster import engine, images
from modelyard_cluster.cache import REPOSITORY
from modelyard_cluster.engine import Engine
from modelyard_cluster.images import Recipe
from rich.console import Console
from rich.table import Table

_TIMES = 5
_CHANGED = "modelyard-bench:changed"


@dataclass(frozen=True)
class Subject:
    """An image that is measured.

    Attributes:
        changed: the file of our code that is changed, below its package's folder.
        programs: what its containers import, by name.
    """

    recipe: Recipe
    changed: str
    programs: dict[str, str]


_SUBJECTS = (
    Subject(images.OPERATOR, "modelyard_operator/app.py", {"all that it imports": "import modelyard_operator.app"}),
    Subject(
        images.TRAINER,
        "modelyard_trainer/run.py",
        {
            "the story": "import modelyard_trainer.run",
            "and torch": "import modelyard_trainer.run, torch",
            "and a classifier's libraries": "import modelyard_trainer.run, torch, timm, onnxruntime",
            "and a detector's": "import modelyard_trainer.run, torch, ultralytics.models.yolo, onnxruntime",
        },
    ),
)


@dataclass(frozen=True)
class Measured:
    """One image.

    Attributes:
        megabytes: as unpacked, in all layers.
        changed_megabytes: of those layers that differ once a line of our code has changed.
        rebuild_seconds: until the image with that change is there.
        start_seconds: median until a container that imports so much has ended, by what it imports.
    """

    image: str
    megabytes: float
    changed_megabytes: float
    rebuild_seconds: float
    start_seconds: dict[str, float]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench-images", description=__doc__)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench" / "results" / "images.json")
    asked = parser.parse_args()
    docker = engine.up()
    found = [_measure(docker, subject) for subject in _SUBJECTS]
    kept = {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.machine()}, {docker.docker('info', '--format', '{{.NCPU}}').strip()} CPU cores",
        "images": [asdict(each) for each in found],
    }
    asked.output.write_text(json.dumps(kept, indent=2) + "\n")
    Console(width=140).print(_table(found))


def _measure(docker: Engine, subject: Subject) -> Measured:
    recipe = subject.recipe
    image = images.build(docker, recipe)
    begin = time.monotonic()
    with images.scratch_folder() as folder:
        _copy(recipe, folder)
        (source,) = folder.glob(f"*/{subject.changed}")
        source.write_text(f"{source.read_text()}# changed at {time.time_ns()}\n")
        base = images.base_image(docker)
        images.build_in(docker, folder, recipe.dockerfile, _CHANGED, target=recipe.target, BASE_IMAGE=base)
    rebuilt = time.monotonic() - begin
    try:
        before, after = _layers(docker, image), _layers(docker, _CHANGED)
    finally:
        docker.docker("image", "rm", _CHANGED)
    starts = {what: _start(docker, image, program) for what, program in subject.programs.items()}
    new = sum(size for digest, size in after.items() if digest not in before)
    return Measured(recipe.name, sum(after.values()) / 1e6, new / 1e6, rebuilt, starts)


def _copy(recipe: Recipe, folder: Path) -> None:
    for name in (recipe.dockerfile, *recipe.sources):
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)


def _layers(docker: Engine, image: str) -> dict[str, int]:
    """Bytes of each layer, by its digest; entries of the history that made none are left out.

    Raises:
        ValueError: a layer is empty, which the history does not tell from an entry that made none.
    """
    digests: list[str] = json.loads(docker.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    listed = docker.docker("image", "history", "--no-trunc", "--human=false", "--format", "{{.Size}}", image)
    sizes = [int(size) for size in reversed(listed.split()) if int(size)]
    return dict(zip(digests, sizes, strict=True))


def _start(docker: Engine, image: str, program: str) -> float:
    command: Sequence[str] = ("run", "--rm", "--network=none", "--entrypoint=python", image, "-c", program)
    taken = []
    for _ in range(_TIMES):
        begin = time.monotonic()
        docker.docker(*command)
        taken.append(time.monotonic() - begin)
    return statistics.median(taken)


def _table(found: Sequence[Measured]) -> Table:
    table = Table("image", "MB", "MB after a change of the code", "rebuilt in", "a container starts and imports")
    for each in found:
        starts = "\n".join(f"{what}: {seconds:.1f} s" for what, seconds in each.start_seconds.items())
        megabytes = (f"{each.megabytes:.0f}", f"{each.changed_megabytes:.1f}")
        table.add_row(each.image, *megabytes, f"{each.rebuild_seconds:.1f} s", starts)
    return table


if __name__ == "__main__":
    main()
