"""Weights of a Hugging Face CLIPModel, such as Coin-CLIP's, in timm's vision transformer.

The published files are not to be had here. What stands for them is a tower of random weights by the library's names,
and its arithmetic as the library documents it, written anew.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from modelyard_api.outcome import Reason
from modelyard_trainer.errors import RunError
from modelyard_trainer.tasks.classification.architecture import COIN_CLIP, build
from modelyard_trainer.tasks.timm_stages import all_stages
from modelyard_trainer.weights.begin import begin_with
from modelyard_trainer.weights.clip import by_timms_names
from modelyard_trainer.weights.matching import match, shapes_of
from modelyard_trainer.weights.model import FetchedWeights, Start
from safetensors.torch import save_file
from timm.layers import QuickGELU
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn.functional import conv2d, layer_norm, linear, scaled_dot_product_attention

WIDTH, LAYERS, HEADS, EMBEDDING, SIDE, PATCH = 16, 2, 4, 8, 8, 4
TOWER, EPSILON = "vision_model.", 1e-5


def shapes(width: int, layers: int, embedding: int, side: int, patch: int) -> dict[str, tuple[int, ...]]:
    """Of a CLIPModel's tensors: of the text tower a part."""
    found: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "text_projection.weight": (embedding, width),
        "text_model.embeddings.token_embedding.weight": (9, width),
        "visual_projection.weight": (embedding, width),
        f"{TOWER}embeddings.class_embedding": (width,),
        f"{TOWER}embeddings.patch_embedding.weight": (width, 3, patch, patch),
        f"{TOWER}embeddings.position_embedding.weight": ((side // patch) ** 2 + 1, width),
    }
    for name in (f"{TOWER}pre_layrnorm", f"{TOWER}post_layernorm", "text_model.final_layer_norm"):
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for start in (f"{tower}encoder.layers.{layer}." for tower in (TOWER, "text_model.") for layer in range(layers)):
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= {f"{start}self_attn.{name}.weight": (width, width), f"{start}self_attn.{name}.bias": (width,)}
        for name in ("layer_norm1", "layer_norm2"):
            found |= {f"{start}{name}.weight": (width,), f"{start}{name}.bias": (width,)}
        found |= {f"{start}mlp.fc1.weight": (4 * width, width), f"{start}mlp.fc1.bias": (4 * width,)}
        found |= {f"{start}mlp.fc2.weight": (width, 4 * width), f"{start}mlp.fc2.bias": (width,)}
    return found


def clip_model() -> dict[str, Tensor]:
    """A small CLIPModel's state dict, with what older ones hold beside the weights."""
    draw, wanted = torch.Generator().manual_seed(3), shapes(WIDTH, LAYERS, EMBEDDING, SIDE, PATCH)
    positions = torch.arange((SIDE // PATCH) ** 2 + 1)[None]
    weights = {name: torch.randn(shape, generator=draw) for name, shape in wanted.items()}
    return {**weights, f"{TOWER}embeddings.position_ids": positions}


def image_embeddings(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """What CLIPModel.get_image_features gives, before anything is made a unit vector."""

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, (WIDTH,), state[f"{TOWER}{name}.weight"], state[f"{TOWER}{name}.bias"], EPSILON)

    def apply(x: Tensor, name: str) -> Tensor:
        return linear(x, state[f"{TOWER}{name}.weight"], state[f"{TOWER}{name}.bias"])

    def heads(x: Tensor, name: str) -> Tensor:
        return apply(x, name).view(*x.shape[:2], HEADS, -1).transpose(1, 2)

    patches = conv2d(images, state[f"{TOWER}embeddings.patch_embedding.weight"], stride=PATCH).flatten(2).mT
    first = state[f"{TOWER}embeddings.class_embedding"].expand(len(images), 1, -1)
    x = torch.cat([first, patches], 1) + state[f"{TOWER}embeddings.position_embedding.weight"]
    x = norm(x, "pre_layrnorm")
    for layer in range(LAYERS):
        name = f"encoder.layers.{layer}"
        y = norm(x, f"{name}.layer_norm1")
        q, k, v = (heads(y, f"{name}.self_attn.{part}_proj") for part in "qkv")
        found = scaled_dot_product_attention(q, k, v)
        x = x + apply(found.transpose(1, 2).flatten(2), f"{name}.self_attn.out_proj")
        y = apply(norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
        x = x + apply(y * torch.sigmoid(1.702 * y), f"{name}.mlp.fc2")
    return linear(norm(x[:, 0], "post_layernorm"), state["visual_projection.weight"])


def network() -> VisionTransformer:
    """As timm's vit_base_patch32_clip_quickgelu_224, but small."""
    return VisionTransformer(
        SIDE,
        PATCH,
        num_classes=EMBEDDING,
        embed_dim=WIDTH,
        depth=LAYERS,
        num_heads=HEADS,
        pre_norm=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=EPSILON),
        act_layer="quick_gelu",
    ).eval()


def begun(model: torch.nn.Module, path: Path) -> Start:
    return begin_with(
        FetchedWeights(path, f"s3://weights/{path.name}", "0" * 64),
        model,
        all_stages(model),
        classes=("a", "b"),
        rows=(),
        name="coin_clip_vit_b32",
    )


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_the_vision_tower_gives_what_the_library_does(tmp_path: Path, suffix: str, prefix: str) -> None:
    state, model, images = clip_model(), network(), torch.rand(3, 3, SIDE, SIDE)
    content = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    path = tmp_path / f"coin-clip{suffix}"
    if suffix == ".bin":
        torch.save(content, path)
    else:
        save_file(content, path)
    start = begun(model, path)
    with torch.no_grad():
        torch.testing.assert_close(model(images), image_embeddings(state, images))
    tensors = len(model.state_dict())
    assert (start.taken, start.tensors, start.anew) == (tensors, tensors, ())
    assert sorted(start.left_out) == sorted(
        f"{prefix}{name}" for name in state if name.startswith(("text_", "logit_scale"))
    )
    assert "of the file left out: " in start.notice


@pytest.mark.parametrize("name", ["encoder.layers.1.self_attn.k_proj.bias", "post_layernorm.weight"])
def test_a_tower_that_lacks_a_tensor_is_refused(tmp_path: Path, name: str) -> None:
    state = clip_model()
    del state[f"{TOWER}{name}"]
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(RunError) as refusal:
        begun(network(), tmp_path / "pytorch_model.bin")
    assert refusal.value.reason is Reason.WEIGHTS_DO_NOT_FIT
    assert refusal.value.message == (
        f"s3://weights/pytorch_model.bin holds the vision tower of a CLIPModel without {TOWER}{name}; the whole tower "
        "would be right"
    )


def test_a_tower_without_its_projection_begins_that_at_random(tmp_path: Path) -> None:
    state, model = clip_model(), network()
    del state["visual_projection.weight"]
    torch.save(state, tmp_path / "a.bin")
    before = model.get_parameter("head.weight").clone()
    assert begun(model, tmp_path / "a.bin").anew == ("head.weight", "head.bias")
    assert torch.equal(model.get_parameter("head.weight"), before)


def test_a_network_by_the_librarys_own_names_takes_them_as_they_are(tmp_path: Path) -> None:
    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, tensor in clip_model().items():
                parent: torch.nn.Module = self
                *path, last = name.split(".")
                for each in path:
                    if each not in dict(parent.named_children()):
                        parent.add_module(each, torch.nn.Module())
                    parent = parent.get_submodule(each)
                parent.register_buffer(last, torch.zeros_like(tensor))

    torch.save(clip_model(), tmp_path / "a.bin")
    model = Named()
    start = begin_with(
        FetchedWeights(tmp_path / "a.bin", "a.bin", "0" * 64), model, (), classes=(), rows=(), name="own"
    )
    assert (start.anew, start.left_out) == ((), ())


def test_coin_clips_network_has_a_place_for_the_whole_tower_at_full_size() -> None:
    with torch.device("meta"):
        model = build(COIN_CLIP, 5, 224)
        tower = {name: torch.empty(shape) for name, shape in shapes(768, 12, 512, 224, 32).items()}
    found = match(shapes_of(model.state_dict()), shapes_of(by_timms_names(tower, model.state_dict(), "coin-clip")))
    assert {*found.missing, *found.resized} == {"backbone.head.weight", "backbone.head.bias"}
    assert any(isinstance(module, QuickGELU) for module in model.modules()), "as OpenAI's CLIP, which it began with"
