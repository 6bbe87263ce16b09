"""Parts of torchreid to compare with, loaded by their path: its packages would import TensorBoard and gdown."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from unittest.mock import patch

from modelyard_trainer.tasks.libraries import folder_of


def torchreids(module: str) -> ModuleType:
    """A module of `torchreid.reid`, such as metrics.rank."""
    path = folder_of("torchreid", "this test", "nothing") / "reid" / f"{module.replace('.', '/')}.py"
    spec = importlib.util.spec_from_file_location(f"theirs_{module.replace('.', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    with patch.dict(sys.modules, {"torchreid": None}):
        spec.loader.exec_module(loaded)
    return loaded
