"""What makes an image quick to build again and a pod quick to start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCKERFILES = {
    name: (Path(__file__).parents[3] / folder / "Dockerfile").read_text()
    for name, folder in {"trainer": "trainer_image", "operator": "operator"}.items()
}
HEAVY = ("torch", "ultralytics", "timm", "torchreid", "onnx", "onnxruntime", "cv2", "scipy", "matplotlib", "pandas")


@pytest.mark.parametrize("image", DOCKERFILES)
def test_a_change_of_our_code_leaves_the_layer_of_packages_as_it_is(image: str) -> None:
    stages = [stage for stage in re.split(r"^FROM ", DOCKERFILES[image], flags=re.M)[1:] if "COPY " in stage]
    assert stages
    for stage in stages:
        packages, _, ours = stage.partition("pip sync")
        assert ours, "a stage that installs nothing copies nothing"
        assert not re.search(r"^(COPY|ADD) ", packages, flags=re.M)


@pytest.mark.parametrize("module", ["modelyard_trainer.process", "modelyard_cli.main"])
def test_what_trains_is_imported_only_once_it_is_needed(module: str) -> None:
    program = f"import {module}, sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
