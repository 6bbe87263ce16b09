"""Numbers rounded to those that 8 bits have, with gradients as if they were not. Imports torch.

As in Jacob et al., arXiv:1712.05877, and as ONNX's QuantizeLinear and DequantizeLinear compute: activations unsigned
with a zero point, one scale for all of them; weights signed around 0, one scale for each output channel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SLOWEST = 0.01
"""Share of a batch in the ranges once a hundred were seen; before that ranges are means over the batches."""
_SMALLEST = 1e-8
"""Of scales: what is 0 everywhere has one, too."""
_ACTIVATIONS, _WEIGHTS = (0, 255), (-128, 127)


class Rounding(nn.Module):
    """Rounds activations, in training after their range has followed them.

    Attributes:
        follows: whether it does.
    """

    lowest: Tensor
    highest: Tensor
    batches: Tensor
    scale: Tensor
    zero_point: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.follows = True
        for name, value in (("lowest", 0.0), ("highest", 0.0), ("batches", 0), ("scale", 1.0)):
            self.register_buffer(name, torch.tensor(value))
        self.register_buffer("zero_point", torch.tensor(0, dtype=torch.int32))

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        if self.training and self.follows:
            self._follow(values)
        return torch.fake_quantize_per_tensor_affine(values, self.scale, self.zero_point, *_ACTIVATIONS)

    @torch.no_grad()
    def _follow(self, values: Tensor) -> None:
        """Waits for nothing."""
        self.batches += 1
        share = (1 / self.batches).clamp(min=_SLOWEST)
        lowest, highest = torch.aminmax(values)
        # 0 is a number that 8 bits must have: what is padded is 0.
        self.lowest.lerp_(lowest.float().clamp(max=0), share)
        self.highest.lerp_(highest.float().clamp(min=0), share)
        self.scale.copy_(((self.highest - self.lowest) / _ACTIVATIONS[1]).clamp(min=_SMALLEST))
        self.zero_point.copy_((-self.lowest / self.scale).round().clamp(*_ACTIVATIONS))


def scales_of(weight: Tensor) -> Tensor:
    """(out,) scales of a weight (out, ...): the largest of each channel becomes 127."""
    largest = weight.detach().abs().amax(dim=tuple(range(1, weight.ndim)))
    return (largest / _WEIGHTS[1]).clamp(min=_SMALLEST)


def rounded(weight: Tensor, scales: Tensor) -> Tensor:
    """A weight (out, ...) in steps of its scales (out,)."""
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, *_WEIGHTS)
