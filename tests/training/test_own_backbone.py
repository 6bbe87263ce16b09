"""A team's own backbone, brought by a package of its own as `examples/own-backbone` does."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch
from modelyard_api.loading import load_run
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.classification.architecture import BACKBONES, architectures, build, check_architecture
from modelyard_trainer.tasks.classification.network import stages_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-backbone"


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example as pip would install it: its package on the path, and its entry points in a dist-info beside it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    folder = tmp_path / "acme_backbones-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"][BACKBONES].items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{BACKBONES}]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    architectures.cache_clear()


@pytest.mark.usefixtures("_installed")
def test_it_is_built_as_any_other_and_its_stages_are_known() -> None:
    spec = load_run((EXAMPLE / "run.yaml").read_text()).spec
    check_architecture(spec.model.architecture)
    model = build(spec.model.architecture, 10, spec.training.image_size).eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert len(stages_of(model)) == 5


def test_without_its_package_it_is_unknown() -> None:
    architectures.cache_clear()
    with pytest.raises(RunError, match="timm has no acme_resnet10"):
        check_architecture("acme_resnet10")
