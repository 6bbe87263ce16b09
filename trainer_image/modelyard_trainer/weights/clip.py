"""CLIP's vision tower as Hugging Face's CLIPModel names it, by the names that timm's vision transformers have.

Names and shapes are those of `transformers.models.clip.modeling_clip` and `timm.models.vision_transformer`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

_TOWER, _LAYERS = "vision_model.", "vision_model.encoder.layers."
_PROJECTION = "visual_projection.weight"
_TIMMS = ".attn.qkv.weight"
"""What the names of a timm transformer end with, and those of a CLIPModel do not."""
_AROUND = {
    "embeddings.patch_embedding.weight": "patch_embed.proj.weight",
    "pre_layrnorm.weight": "norm_pre.weight",  # spelled so there
    "pre_layrnorm.bias": "norm_pre.bias",
    "post_layernorm.weight": "norm.weight",
    "post_layernorm.bias": "norm.bias",
}
_IN_A_LAYER = {
    "self_attn.out_proj": "attn.proj",
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_JOINED = ("q_proj", "k_proj", "v_proj")
"""In the order of the rows of timm's one tensor."""


def by_timms_names(tensors: Mapping[str, Tensor], wanted: Collection[str], origin: str) -> Mapping[str, Tensor]:
    """The tensors of a file, CLIP's vision tower by timm's names where it has one and the network has these names.

    The projection becomes timm's last layer, whose bias is 0. All else, such as the text tower, stays as it is.

    Args:
        tensors: of the file.
        wanted: names of the network.
        origin: of the file, for messages.

    Raises:
        RunError: WeightsDoNotFit; the tower lacks a tensor.
    """
    first = next((name for name in tensors if _LAYERS in name), None)
    if first is None or not any(name.endswith(_TIMMS) for name in wanted):
        return tensors
    prefix = first.partition(_LAYERS)[0]
    tower = _Tower(tensors, prefix, origin)
    renamed = tower.renamed()
    return {**renamed, **{name: tensor for name, tensor in tensors.items() if name not in tower.read}}


class _Tower:
    """Takes tensors of a tower by the names behind `prefix`, and keeps which were read."""

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str, origin: str) -> None:
        self._tensors, self._prefix, self._origin = tensors, prefix, origin
        self.read = {f"{prefix}{_TOWER}embeddings.position_ids"}  # numbers from 0, which older files hold

    def renamed(self) -> dict[str, Tensor]:
        """All of the tower, and the projection where there is one."""
        import torch  # noqa: PLC0415 - seconds

        found = {
            "cls_token": self._take(f"{_TOWER}embeddings.class_embedding")[None, None],
            "pos_embed": self._take(f"{_TOWER}embeddings.position_embedding.weight")[None],
            **{timms: self._take(f"{_TOWER}{name}") for name, timms in _AROUND.items()},
        }
        for layer in range(self._layers()):
            ours, theirs = f"blocks.{layer}.", f"{_LAYERS}{layer}."
            for kind in ("weight", "bias"):
                parts = [self._take(f"{theirs}self_attn.{part}.{kind}") for part in _JOINED]
                found[f"{ours}attn.qkv.{kind}"] = torch.cat(parts)
                for name, timms in _IN_A_LAYER.items():
                    found[f"{ours}{timms}.{kind}"] = self._take(f"{theirs}{name}.{kind}")
        if f"{self._prefix}{_PROJECTION}" in self._tensors:
            projection = self._take(_PROJECTION)
            found |= {"head.weight": projection, "head.bias": projection.new_zeros(len(projection))}
        return found

    def _layers(self) -> int:
        start = f"{self._prefix}{_LAYERS}"
        return 1 + max(
            int(name.removeprefix(start).partition(".")[0]) for name in self._tensors if name.startswith(start)
        )

    def _take(self, name: str) -> Tensor:
        name = f"{self._prefix}{name}"
        if name not in self._tensors:
            raise RunError(
                Reason.WEIGHTS_DO_NOT_FIT,
                f"{self._origin} holds the vision tower of a CLIPModel without {name}; the whole tower would be right",
            )
        self.read.add(name)
        return self._tensors[name]
