"""Training that calls a compiled network: the same numbers, under the same names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.errors import RunError
from modelyard_trainer.loop import guard
from modelyard_trainer.loop.compiling import Compiling
from modelyard_trainer.loop.device import check_device
from torch import nn

from tests.unit.trainer.datasets import run_document
from tests.unit.trainer.test_epoch_loop import LineLearner, Yard


class Counting:
    """A backend that runs graphs as they are, and says how many there were and for which batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        self.sizes.append(max(len(each) for each in inputs if isinstance(each, torch.Tensor) and each.ndim))
        return graph.forward


@pytest.fixture(autouse=True)
def _nothing_compiled_before_and_every_batch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()
    monkeypatch.setattr(guard, "ASK_EVERY", 0.0)


def test_a_compiled_training_ends_as_a_plain_one_and_goes_on_from_any_batch(tmp_path: Path) -> None:
    plain = Yard(average=True, due=lambda _position: True)
    plain.loop.run(Position(0))
    backend = Counting()
    whole = Yard(average=True, due=lambda _position: True, compiling=Compiling(tmp_path, 1, backend))
    whole.loop.run(Position(0))
    assert backend.sizes == [2], "one graph for all batches of all epochs"
    assert whole.told == plain.told
    end = plain.kept[Position(4)]
    assert list(whole.kept[Position(4)]["model"]) == list(end["model"]), "what is kept has the network's own names"
    assert torch.equal(whole.kept[Position(4)]["model"]["weight"], end["model"]["weight"])
    for position in (Position(0, 3), Position(2)):
        torch.compiler.reset()  # as in another process
        rest = Yard(
            LineLearner([0.1, 0.2, 0.3, 0.4][position.epochs :]),
            average=True,
            compiling=Compiling(tmp_path, 1, Counting()),
        )
        rest.loop.run(rest.numbers.restore(position, whole.kept[position], rest.batches))
        found = rest.numbers.capture(rest.batches)
        assert torch.equal(found["model"]["weight"], end["model"]["weight"])
        assert torch.equal(found["average"]["model"]["weight"], end["average"]["model"]["weight"])


def test_each_size_of_batch_has_a_graph_of_its_own_whatever_came_before(tmp_path: Path) -> None:
    network = nn.Linear(3, 1)
    for order in ((8, 5, 8), (5, 8, 5)):
        torch.compiler.reset()
        backend = Counting()
        compiling = Compiling(tmp_path, 1, backend)
        for size in order:
            compiling(network)(torch.ones(size, 3))
        assert backend.sizes == list(order[:2])


def test_a_network_is_compiled_once_and_another_one_anew(tmp_path: Path) -> None:
    compiling, first, second = Compiling(tmp_path, 1, Counting()), nn.Linear(3, 1), nn.Linear(3, 1)
    called = compiling(first)
    assert called is compiling(first)
    assert compiling(second) is not called
    assert {id(each) for each in called.parameters()} == {id(each) for each in first.parameters()}


def test_where_nothing_can_be_compiled_it_is_said_before_the_training(tmp_path: Path) -> None:
    def broken(_graph: Any, _inputs: Any) -> Any:
        raise RuntimeError("cc1plus: no space left\nand much more")

    with pytest.raises(RunError) as refusal:
        Compiling(tmp_path, 1, broken).prove("cpu")
    assert refusal.value.reason is Reason.SPEC_INVALID
    assert refusal.value.message.startswith("spec.training.compile: torch cannot compile here (")
    assert refusal.value.message.endswith("; false, or an image with a C++ compiler, would be right")
    assert "\n" not in refusal.value.message
    Compiling(tmp_path, 1, Counting()).prove("cpu")


def test_without_a_compiler_it_is_refused_before_any_data_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, object] = {
        "task": "reid",
        "dataset": {"path": "/nowhere", "format": "market1501"},
        "training": {"epochs": 4, "compile": True, "schedule": {"warmupEpochs": 0}},
    }
    asked, plain = run_document(**changes).spec, run_document().spec
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError) as refusal:
        check_device(asked)
    assert refusal.value.message == (
        "spec.training.compile: this image has no C++ compiler (g++), which torch.compile needs; false, or an image "
        "with one, would be right"
    )
    check_device(plain)
    (tmp_path / "g++").touch(0o755)
    check_device(asked)
