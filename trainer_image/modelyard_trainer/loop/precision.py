"""Mixed precision, the scale of its gradients, and how a step of the optimizer is made."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from modelyard_api.spec import MixedPrecision
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

_TYPES = {MixedPrecision.BF16: torch.bfloat16, MixedPrecision.FP16: torch.float16}


class Precision:
    """Arithmetic of the forward pass and what follows from it.

    Args:
        amp: which mixed precision, if any.
        device: of the training, as torch calls it.
        clip: largest norm of all gradients together; None leaves them as they are.
    """

    def __init__(self, amp: MixedPrecision, device: str, clip: float | None = None) -> None:
        self._kind = torch.device(device).type
        self._type = _TYPES.get(amp)
        self._clip = clip
        self.scaler = torch.amp.GradScaler(self._kind, enabled=amp is MixedPrecision.FP16)

    def forward(self) -> torch.autocast:
        """A context in which the model runs."""
        return torch.autocast(self._kind, dtype=self._type, enabled=self._type is not None)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor]) -> None:
        """Clip the gradients, apply them and drop them. With fp16 a step whose gradients overflow is left out."""
        if self._clip is not None:
            self.scaler.unscale_(optimizer)
            clip_grad_norm_(parameters, self._clip)
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.zero_grad(set_to_none=True)
