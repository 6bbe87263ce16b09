"""Training with torch's own compiler, which takes half a minute to begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.loop import guard
from modelyard_trainer.loop.compiling import INDUCTOR, Compiling

from tests.unit.trainer.test_epoch_loop import LineLearner, Yard


@pytest.mark.long
def test_torchs_own_compiler_trains_to_the_same_weights_and_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "ASK_EVERY", 0.0)
    torch.compiler.reset()

    def yard(**more: Any) -> Yard:
        return Yard(average=True, due=lambda _position: True, **more)

    compiling = Compiling(tmp_path, 1, INDUCTOR)
    compiling.prove("cpu")
    plain, whole = yard(), yard(compiling=compiling)
    plain.loop.run(Position(0))
    whole.loop.run(Position(0))
    end = whole.kept[Position(4)]
    torch.testing.assert_close(end["model"]["weight"], plain.kept[Position(4)]["model"]["weight"])
    torch.compiler.reset()
    rest = yard(learner=LineLearner([0.2, 0.3, 0.4]), compiling=Compiling(tmp_path / "other", 1, INDUCTOR))
    rest.loop.run(rest.numbers.restore(Position(1, 2), whole.kept[Position(1, 2)], rest.batches))
    assert torch.equal(rest.kept[Position(4)]["model"]["weight"], end["model"]["weight"])
    assert list((tmp_path / "other").iterdir()), "what it compiles lies where it is told to"
