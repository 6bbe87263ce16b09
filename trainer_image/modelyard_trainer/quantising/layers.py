"""Convolutions and linear layers in 8 bits. Imports torch.

They keep their parameters and the names of these, so that an optimizer, a snapshot and other layers that look at them
find what they know.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import linear

from modelyard_trainer.quantising.rounding import Rounding, rounded, scales_of


class Quantised(nn.Module):
    """A layer whose weight is rounded, and the activations around it.

    Attributes:
        settled: scales of the weight (out,) that no longer follow from it, for an export; None while it is trained.
    """

    settled: Tensor | None = None

    def in_8_bits(self, weight: Tensor) -> Tensor:
        """The weight as it computes."""
        return rounded(weight, scales_of(weight) if self.settled is None else self.settled)

    def settle(self) -> None:
        """Keep the weight's scales as they are."""
        self.settled = scales_of(self.get_parameter("weight"))


class QuantisedConv2d(nn.Conv2d, Quantised):
    """A convolution in 8 bits. Its output is rounded too: runtimes compute no convolution of 8 bits otherwise."""

    def __init__(self, plain: nn.Conv2d) -> None:
        super().__init__(
            plain.in_channels,
            plain.out_channels,
            plain.kernel_size,  # type: ignore[arg-type]  # pairs here
            plain.stride,  # type: ignore[arg-type]
            plain.padding,  # type: ignore[arg-type]
            plain.dilation,  # type: ignore[arg-type]
            plain.groups,
            plain.bias is not None,
            plain.padding_mode,
            device="meta",
        )
        self.weight, self.bias = plain.weight, plain.bias
        self.incoming, self.outgoing = Rounding().to(plain.weight.device), Rounding().to(plain.weight.device)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that a convolution gives it
        """As a convolution."""
        output: Tensor = self.outgoing(self._conv_forward(self.incoming(input), self.in_8_bits(self.weight), self.bias))
        return output


class QuantisedLinear(nn.Linear, Quantised):
    """A linear layer in 8 bits. Its sums stay as they are."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.incoming = Rounding().to(plain.weight.device)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as above
        """As a linear layer."""
        return linear(self.incoming(input), self.in_8_bits(self.weight), self.bias)


KINDS: dict[type[nn.Module], type[QuantisedConv2d] | type[QuantisedLinear]] = {
    nn.Conv2d: QuantisedConv2d,
    nn.Linear: QuantisedLinear,
}
"""What is replaced. Subclasses are not: what they compute of their weight is their own."""
