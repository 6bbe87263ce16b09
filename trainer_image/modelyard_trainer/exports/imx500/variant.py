"""A network as the IMX500's converter takes it. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from modelyard_api.export import Export
from onnxruntime.quantization.shape_inference import quant_pre_process

from modelyard_trainer.dataset.model import Picture
from modelyard_trainer.exports.graphs import forget_unused
from modelyard_trainer.exports.imx500 import NotForImx500
from modelyard_trainer.exports.imx500.operators import DESCRIPTION, not_named
from modelyard_trainer.exports.imx500.replacing import with_equal_nodes, with_near_modules
from modelyard_trainer.exports.imx500.rounding import Range, rounded_activations, with_rounding
from modelyard_trainer.exports.onnx_file import traced
from modelyard_trainer.exports.subject import Images, Subject

_MOST_NAMED = 8
Details = dict[str, str | int | bool]


def for_imx500(
    subject: Subject, wanted: Export, pictures: Sequence[Picture], *, scratch: Path, tell: Callable[[int], None]
) -> tuple[onnx.ModelProto, Details]:
    """The subject's network for one picture of fixed size, in 8 bits, and what was replaced in it.

    Args:
        subject: a network, and how pictures become its input.
        wanted: what is asked for.
        pictures: that ranges are taken from.
        scratch: a folder for what nobody keeps.
        tell: how many pictures were seen.

    Raises:
        NotForImx500: some of its operators have no equal among those that are named.
    """
    network = subject.traceable(dynamic=False)
    near = with_near_modules(network)
    plain, prepared = scratch / "plain.onnx", scratch / "prepared.onnx"
    quant_pre_process(traced(subject, network, wanted, plain), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(str(prepared))
    replaced = [*near, *with_equal_nodes(graph)]
    missing = not_named(graph)
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise NotForImx500(
            f"{DESCRIPTION} names no operator for {', '.join(missing[:_MOST_NAMED])}{more}; an architecture of "
            "convolutions, such as mobilenetv2_100, would be right"
        )
    inputs = (subject.image(picture)[None] for picture in pictures)
    forget_unused(graph)
    with_rounding(graph, ranges_of(graph, rounded_activations(graph), inputs, tell))
    return graph, {"replaced": "; ".join(replaced) or "nothing"}


def ranges_of(
    graph: onnx.ModelProto, names: Sequence[str], inputs: Iterable[Images], tell: Callable[[int], None]
) -> dict[str, Range]:
    """The lowest and the highest number of each named tensor; 0 is always among them."""
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    given, taken = {each.name for each in graph.graph.output}, graph.graph.input[0].name
    names_inside = [name for name in names if name not in given and name != taken]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names_inside
    )
    options = onnxruntime.SessionOptions()
    # What is optimised away has no range.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    told = [each.name for each in session.get_outputs()]
    lowest, highest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for seen, image in enumerate(inputs, 1):
        for name, value in ((taken, image), *zip(told, session.run(None, {taken: image}), strict=True)):
            if name in lowest:
                lowest[name] = min(lowest[name], float(np.min(value)))
                highest[name] = max(highest[name], float(np.max(value)))
        tell(seen)
    return {name: (lowest[name], highest[name]) for name in names}
