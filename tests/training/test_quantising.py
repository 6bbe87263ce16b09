"""Networks in 8 bits: which layers, with which numbers, and that their files compute the same."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from modelyard_trainer.exports.integers import with_integers
from modelyard_trainer.loop.aware import Steadying, resting
from modelyard_trainer.quantising.layers import Quantised, QuantisedConv2d, QuantisedLinear
from modelyard_trainer.quantising.rounding import Rounding, rounded, scales_of
from modelyard_trainer.quantising.scheme import Scheme, scheme_of
from torch import Tensor, nn

PICTURES = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Small(nn.Module):
    """Convolutions with and without a bias, one of them depthwise, and linear layers on vectors and on sequences."""

    def __init__(self, *, looks_between: bool = False) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.second, self.other = nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8)
        self.mixing, self.head, self.unused = nn.Linear(8, 8), nn.Linear(8, 5), nn.Linear(8, 5)
        self.looks_between = looks_between

    def forward(self, images: Tensor) -> Tensor:
        before = self.first(images)
        after = torch.relu(self.norm(before)) + (before if self.looks_between else 0)
        after = torch.relu(self.other(self.second(after)))
        logits: Tensor = self.head(self.mixing(after.flatten(2).transpose(1, 2)).mean(1))
        return logits


@pytest.fixture
def network() -> Small:
    """Its normalisation has seen pictures."""
    torch.manual_seed(0)
    made = Small()
    with torch.no_grad():
        for _ in range(20):
            made(torch.rand(8, 3, 12, 12) * 3 - 1)
    return made.eval()


def in_8_bits(network: nn.Module) -> tuple[nn.Module, Scheme]:
    """The same network, with the ranges of PICTURES."""
    made = copy.deepcopy(network)
    scheme = scheme_of(made, PICTURES)
    scheme.apply(made)
    Steadying(made.train(), 1).begin(0)
    with torch.no_grad():
        made(PICTURES)
    return made.eval(), scheme


def test_what_runs_is_replaced_and_normalisation_becomes_part_of_it(network: Small) -> None:
    made, scheme = in_8_bits(network)
    assert scheme.layers == ("first", "second", "mixing", "head")
    assert scheme.folded == {"first": "norm", "second": "other"}
    assert Scheme.of(scheme.state()) == scheme
    assert isinstance(made.get_submodule("second"), QuantisedConv2d)
    assert isinstance(made.get_submodule("head"), QuantisedLinear)
    assert type(made.get_submodule("unused")) is nn.Linear
    assert not any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
    assert isinstance(network.second, nn.Conv2d)
    difference = (made(PICTURES) - network(PICTURES)).abs().max()
    assert 0 < difference < 0.05 * network(PICTURES).abs().max()


def test_normalisation_stays_where_somebody_looks_before_it(network: Small) -> None:
    network.looks_between = True
    made, scheme = in_8_bits(network)
    assert scheme.folded == {}
    assert isinstance(made.get_submodule("norm"), nn.BatchNorm2d)
    assert (made(PICTURES) - network(PICTURES)).abs().max() < 0.05 * network(PICTURES).abs().max()


def test_statistics_rest_and_ranges_do_in_the_last_epochs(network: Small) -> None:
    network.looks_between = True
    made, _ = in_8_bits(network)
    steadying = Steadying(made, 3)
    for epoch, follows in ((2, True), (3, False)):
        before = copy.deepcopy(made.state_dict())
        made.train()
        steadying.begin(epoch)
        with torch.no_grad():
            made(PICTURES * 5)
        after = made.state_dict()
        assert torch.equal(after["norm.running_mean"], before["norm.running_mean"])
        assert torch.equal(after["first.incoming.highest"], before["first.incoming.highest"]) is not follows


def test_a_quarter_of_the_epochs_has_ranges_that_rest_but_never_the_only_one() -> None:
    assert [resting(epochs) for epochs in (1, 2, 4, 5, 8)] == [0, 1, 1, 2, 2]


def test_ranges_hold_zero_and_are_means_at_first() -> None:
    rounding = Rounding()
    for highest in (2.0, 4.0):
        rounding(torch.tensor([1.0, highest]))
    assert (float(rounding.lowest), float(rounding.highest)) == (0, 3)
    assert float(rounding.scale) == pytest.approx(3 / 255)
    rounding.eval()
    assert float(rounding(torch.tensor([100.0]))) == pytest.approx(3)


def test_gradients_pass_where_numbers_are_within_the_range() -> None:
    rounding = Rounding()
    rounding(torch.tensor([0.0, 1.0]))
    values = torch.tensor([0.3, 2.0], requires_grad=True)
    rounding.eval()(values).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [1, 0]


def test_each_channel_of_a_weight_has_a_scale() -> None:
    weight = torch.tensor([[1.27, 0.012], [0.0, 0.0], [-254.0, 1.2]])
    scales = scales_of(weight)
    assert scales.tolist() == pytest.approx([0.01, 1e-8, 2])
    assert torch.allclose(rounded(weight, scales), torch.tensor([[1.27, 0.01], [0, 0], [-254, 2]]))


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_the_file_computes_what_was_trained_with_whole_numbers(network: Small, opset: int, tmp_path: Path) -> None:
    made, scheme = in_8_bits(network)
    for name in scheme.layers:
        layer = made.get_submodule(name)
        assert isinstance(layer, Quantised)
        layer.settle()
    path = str(tmp_path / "small.onnx")
    torch.onnx.export(made, (PICTURES,), path, opset_version=opset, dynamo=False, input_names=["images"])
    graph = with_integers(onnx.load(path))
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
    kinds = {each.name: each.data_type for each in graph.graph.initializer}
    integers = onnx.TensorProto.INT8, onnx.TensorProto.INT32
    weights = [node for node in graph.graph.node if node.op_type in {"Conv", "Gemm", "MatMul"}]
    read = {node.output[0]: node for node in graph.graph.node if node.op_type == "DequantizeLinear"}
    assert len(weights) == len(scheme.layers)
    for node in weights:
        assert node.input[0] in read
        assert kinds[read[node.input[1]].input[0]] == integers[0]
        if len(node.input) > 2:
            assert kinds[read[node.input[2]].input[0]] == integers[1]
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3  # that what is optimised for this machine is for no other is known
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": PICTURES.numpy()})
    with torch.no_grad():
        wanted = made(PICTURES).numpy()
    # A number that lies between two steps may go to either.
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    run = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert run.count("QLinearConv") == 2
    assert "Conv" not in run
