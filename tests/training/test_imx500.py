"""ONNX for the IMX500: what is replaced, where it rounds and to what, and what has no place in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from modelyard_api.export import Export, ExportFormat, Precision
from modelyard_api.outcome import Reason
from modelyard_trainer.dataset.model import Objects, Picture
from modelyard_trainer.errors import RunError
from modelyard_trainer.exports.imx500 import NotForImx500
from modelyard_trainer.exports.imx500.operators import not_named
from modelyard_trainer.exports.imx500.replacing import with_equal_nodes, with_near_modules
from modelyard_trainer.exports.imx500.rounding import DOMAIN, rounded_activations, threshold_of, with_rounding
from modelyard_trainer.exports.imx500.variant import for_imx500, ranges_of
from modelyard_trainer.exports.onnx_file import finish, traced
from modelyard_trainer.exports.subject import Images, Runner, Subject
from modelyard_trainer.exports.writing import export_all
from modelyard_trainer.progress import Progress
from modelyard_trainer.tasks.base import TaskContext
from torch import Tensor, nn

from tests.unit.trainer.datasets import run_document

WANTED = Export(format=ExportFormat.IMX500, precision=Precision.INT8)
IMAGES = np.random.default_rng(0).random((4, 1, 3, 12, 12), np.float32)
MEAN, STD = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)))


class Body(nn.Module):
    """Has something of all that is replaced."""

    def __init__(self, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, groups=2), nn.Conv2d(6, 8, 1)
        self.activation = activation or nn.GELU()
        self.pool, self.head = nn.AvgPool2d(2, ceil_mode=True), nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        seen = torch.relu(self.first((images - MEAN) / STD))
        seen = nn.functional.silu(self.second(self.pool(seen)))
        seen = seen * torch.sigmoid(seen.mean((2, 3), keepdim=True) * 0.5)
        logits: Tensor = self.head(self.activation(self.third(seen)).mean((2, 3)))
        return logits


class Given(Subject):
    """A network as it is; pictures are numbers of IMAGES."""

    output = "logits"

    def __init__(self, network: nn.Module) -> None:
        super().__init__({}, (12, 12))
        self._network = network.eval()

    def network(self, weights: Mapping[str, Tensor]) -> nn.Module:
        return self._network

    def image(self, picture: Picture) -> Images:
        image: Images = IMAGES[int(picture.name)][0]
        return image

    def judge(self, run: Runner) -> float:
        return 0.0

    def metadata(self, *, dynamic: bool) -> dict[str, str]:
        return {}

    @property
    def deployed(self) -> nn.Module:
        return self._network


def body(activation: nn.Module | None = None) -> Body:
    torch.manual_seed(0)
    return Body(activation).eval().requires_grad_(False)


def run(graph: onnx.ModelProto, images: Images) -> Any:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def kinds(graph: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


def float_graph(network: nn.Module, folder: Path) -> onnx.ModelProto:
    return traced(Given(network), network, WANTED, folder / "float.onnx")


def test_what_is_replaced_by_an_equal_computes_the_same(tmp_path: Path) -> None:
    graph = float_graph(body(nn.Hardswish()), tmp_path)
    before = run(graph, IMAGES[0])
    assert with_equal_nodes(graph) == [
        "the normalisation of the input by a depthwise convolution",
        "products with one number by depthwise convolutions",
        "2 x means over height and width by GlobalAveragePool",
        "average pooling by depthwise convolutions",
    ]
    onnx.checker.check_model(graph, full_check=True)
    assert not {"Sub", "Div", "ReduceMean", "AveragePool"} & set(kinds(graph))
    assert not_named(graph) == []
    np.testing.assert_allclose(run(graph, IMAGES[0]), before, atol=1e-5)


def test_gelu_is_replaced_by_a_near_one() -> None:
    network = body()
    before = network(torch.from_numpy(IMAGES[0]))
    assert with_near_modules(network) == ["1 GELU by x * sigmoid(1.702 x)"]
    difference = (network(torch.from_numpy(IMAGES[0])) - before).abs().max()
    assert 0 < difference < 0.02


def test_nothing_is_rounded_between_a_layer_and_its_activation(tmp_path: Path) -> None:
    graph = float_graph(body(nn.Hardswish()), tmp_path)
    with_equal_nodes(graph)
    made = {name: node for node in graph.graph.node for name in node.output}
    rounded = [made[name].op_type if name in made else name for name in rounded_activations(graph)]
    # Of ten convolutions and products those stay whole that an activation alone reads, and with them swish's sigmoid.
    assert rounded == [
        *("images", "Conv", "Relu", "Conv", "Mul", "GlobalAveragePool"),
        *("Sigmoid", "Mul", "HardSwish", "GlobalAveragePool", "Gemm"),
    ]


def test_the_file_is_of_sonys_operators_and_near_the_network(tmp_path: Path) -> None:
    network = body()
    with torch.no_grad():
        wanted = network(torch.from_numpy(IMAGES[0])).numpy()
    seen: list[int] = []
    pictures = [picture(number) for number in range(len(IMAGES))]
    graph, details = for_imx500(Given(network), WANTED, pictures, scratch=tmp_path, tell=seen.append)
    finish(graph, {}, tmp_path / "small.onnx")
    assert seen == [1, 2, 3, 4]
    assert str(details["replaced"]).startswith("1 GELU by x * sigmoid(1.702 x); the normalisation of the input")
    weighed = [node for node in graph.graph.node if node.op_type in {"Conv", "Gemm"}]
    made = {node.output[0]: node for node in graph.graph.node}
    for node in weighed:
        assert made[node.input[1]].op_type == "WeightsSymmetricQuantizer"
        taken = made[node.input[0]]
        taken = made[taken.input[0]] if taken.op_type == "Flatten" else taken
        assert (taken.op_type, taken.domain) == ("ActivationPOTQuantizer", DOMAIN)
    assert graph.opset_import[0].version == 15
    assert [side.dim_value for side in graph.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 12, 12]
    difference = np.abs(run(onnx.load(tmp_path / "small.onnx"), IMAGES[0]) - wanted).max()
    assert 0 < difference < 0.1 * np.abs(wanted).max()


def test_numbers_are_rounded_as_sonys_package_says(tmp_path: Path) -> None:
    layer = nn.Conv2d(3, 4, 1, bias=False)
    network = nn.Sequential(layer).eval().requires_grad_(False)
    graph = float_graph(network, tmp_path)
    taken, given = (each[0].name for each in (graph.graph.input, graph.graph.output))
    with_rounding(graph, {taken: (0.0, 0.9), given: (-0.3, 1.5)})
    weight = layer.weight.numpy().astype(np.float64)
    steps = np.abs(weight).max((1, 2, 3), keepdims=True) / 127
    weight = np.rint(weight / steps) * steps
    image = np.rint(IMAGES[0].clip(0, 255 / 256) * 256) / 256
    wanted = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0], image)
    wanted = np.rint(wanted.clip(-2, 2 - 2 / 128) * 64) / 64
    found = run(graph, IMAGES[0])
    assert np.abs(found - wanted).max() <= 1 / 64  # a sum between two steps may go to either
    assert np.abs(found - wanted).mean() < 1e-3


@pytest.mark.parametrize(
    ("seen", "threshold", "signed"),
    [((0.0, 0.9), 1.0, False), ((-0.1, 1.0), 1.0, True), ((-3.0, 1.0), 4.0, True), ((0.0, 5.0), 8.0, False)],
)
def test_thresholds_are_powers_of_two(seen: tuple[float, float], threshold: float, signed: bool) -> None:
    assert threshold_of(seen) == (threshold, signed)


def test_ranges_are_of_all_pictures(tmp_path: Path) -> None:
    graph = float_graph(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), tmp_path)
    (name,) = (each.name for each in graph.graph.input)
    images = [np.full((1, 3, 12, 12), value, np.float32) for value in (0.25, 0.75)]
    assert ranges_of(graph, [name], images, lambda _: None) == {name: (0.0, 0.75)}


def test_what_has_no_place_is_named_node_by_node(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Mish(), nn.Flatten(), nn.LayerNorm(576, elementwise_affine=False))
    with pytest.raises(NotForImx500) as refusal:
        for_imx500(Given(network), WANTED, [picture(0)], scratch=tmp_path, tell=lambda _: None)
    assert str(refusal.value).startswith(
        "the IMX500's description (edge-mdt-tpc 1.3.0, TPC 6.0) names no operator for Softplus (/1/Softplus), "
    )
    assert "ReduceMean (/3/ReduceMean)" in str(refusal.value)
    assert str(refusal.value).endswith("; an architecture of convolutions, such as mobilenetv2_100, would be right")


@pytest.mark.parametrize("required", [False, True])
def test_such_an_export_is_skipped_unless_it_is_required(required: bool, tmp_path: Path) -> None:
    document = run_document(
        task="classification",
        training={"epochs": 1, "imageSize": 32, "schedule": {"warmupEpochs": 0}},
        dataset={"path": "/nowhere", "format": "image-folder"},
        export=[{"format": "imx500", "precision": "int8", "required": required}],
    )
    (tmp_path / "results").mkdir()
    context = TaskContext(document, tmp_path, tmp_path / "results", Progress(1, 1, 1), cpus=1)
    subject = Given(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softplus()))
    if required:
        with pytest.raises(RunError, match=r"is required and cannot be built: .*; required: false would be right") as e:
            export_all(context, subject, [picture(0)])
        assert e.value.reason is Reason.EXPORT_FAILED
    else:
        (file,) = export_all(context, subject, [picture(0)])
        assert "names no operator for Softplus (/1/Softplus)" in file.skipped
        assert list(context.results.iterdir()) == []


def picture(number: int) -> Picture:
    """One of IMAGES."""
    nothing = Objects.none()
    return Picture(str(number), Path("/nowhere"), 12, 12, nothing)
