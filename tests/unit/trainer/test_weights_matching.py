"""Which tensors of a file belong where: a table of names and shapes."""

from __future__ import annotations

import pytest
from modelyard_trainer.weights.matching import match, nearest

NETWORK = {"backbone.conv1.weight": (8, 3, 3, 3), "backbone.bn1.bias": (8,), "backbone.fc.weight": (4, 8)}
PLAIN = {"conv1.weight": (8, 3, 3, 3), "bn1.bias": (8,), "fc.weight": (4, 8)}


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "backbone.", "module.model.", "_orig_mod.module.", "student.backbone."]
)
def test_what_the_names_begin_with_does_not_matter(prefix: str) -> None:
    file = {f"{prefix}{name}": shape for name, shape in PLAIN.items()}
    found = match(NETWORK, file)
    assert found.taken == {f"backbone.{name}": f"{prefix}{name}" for name in PLAIN}
    assert (found.resized, found.missing, found.left_out) == ({}, (), ())


def test_a_head_beside_the_backbone_hides_nothing() -> None:
    file = {"backbone.conv1.weight": (8, 3, 3, 3), "backbone.bn1.bias": (8,), "margin.weight": (87, 8)}
    found = match({**PLAIN}, file)
    assert found.taken == {"conv1.weight": "backbone.conv1.weight", "bn1.bias": "backbone.bn1.bias"}
    assert found.missing == ("fc.weight",)
    assert found.left_out == ("margin.weight",)


def test_another_number_of_classes_is_a_resized_tensor() -> None:
    found = match(NETWORK, {**PLAIN, "fc.weight": (1000, 8)})
    assert found.resized == {"backbone.fc.weight": "fc.weight"}
    assert set(found.taken) == {"backbone.conv1.weight", "backbone.bn1.bias"}


def test_numbered_layers_are_not_taken_for_a_wrapping() -> None:
    detector = {f"model.{layer}.conv.weight": (layer + 1, 3) for layer in range(6)}
    assert match(detector, {name.removeprefix("model."): shape for name, shape in detector.items()}).missing == ()
    assert match(detector, detector).taken == {name: name for name in detector}


def test_nothing_of_another_network_is_taken() -> None:
    found = match(NETWORK, {"features.0.weight": (64, 3, 11, 11), "features.0.bias": (64,)})
    assert not found.taken
    assert found.missing == tuple(NETWORK)


def test_the_nearest_name_is_told() -> None:
    assert nearest("conv1.weight", ["stem.conv1.weight", "fc.bias"]) == "stem.conv1.weight"
    assert nearest("conv1.weight", []) is None
