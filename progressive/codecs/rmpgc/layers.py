"""Layers that compute in exact integers, and their twins for training.

Activations are integers 0..255 that stand for 0..3.98 (`UNIT` = 1/64); weights are integers -127..127 with a power of
two for each output channel. As long as sum |w| * 255 + |b| stays below 2^24, every partial sum is an integer that
float32 holds exactly: the result depends neither on the order of summation nor on threads, device or library.
That bound is checked when weights are loaded. Convolutions are matrix products (pointwise) or direct sums (depthwise),
never Winograd's or Fourier's.

Legend: N items, C channels, h x w positions. Tensors are [N, C, h, w] in channels_last order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.backends import nnpack

from progressive.errors import UsageError

UNIT = 1 / 64
"""What one step of an activation stands for."""

MAX_ACTIVATION = 255
MAX_WEIGHT = 127
MAX_SHIFT = 16
EXACT = 2**24
"""Integers below this are exact in float32, and so are their sums as long as these stay below it."""


class Layer(nn.Module, ABC):
    """What the two convolutions share: float weights to train, rounded ones to compute with.

    `rounding` chooses how it computes: "none" (floats), "straight-through" (rounded weights and activations, gradients
    as if they were not) or "exact" (integers in, integers out; set by `freeze`).

    Args:
        inputs, outputs: numbers of channels.
        scale: how many output integers stand for 1.0; 64 for activations, fewer for table indices.
        activation: clip the output to 0..255; without it the output is a signed integer.
    """

    weight: Tensor
    bias: Tensor
    inverse: Tensor

    def __init__(self, shape: tuple[int, ...], *, scale: float, activation: bool, fan_in: int) -> None:
        super().__init__()
        gain = 2.0 if activation else 1.0
        self.weight = nn.Parameter(torch.randn(shape) * (gain / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        self.scale, self.activation = scale, activation
        self.rounding = "none"

    @abstractmethod
    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The layer's sums, whatever its numbers are."""

    def forward(self, x: Tensor) -> Tensor:
        if self.rounding == "exact":
            return self._exact(x)
        if self.rounding == "none":
            y = self.convolve(x, self.weight, self.bias)
            return F.hardtanh(y, 0, MAX_ACTIVATION * UNIT) if self.activation else y
        factor = torch.exp2(self.shifts()).view(-1, 1, 1, 1)
        weight = _straight_through(self.weight, (self.weight * factor).round() / factor)
        y = self.convolve(x, weight, self.bias)
        rounded = _straight_through(y, torch.floor(y * self.scale + 0.5) / self.scale)
        return F.hardtanh(rounded, 0, MAX_ACTIVATION * UNIT) if self.activation else rounded

    def shifts(self) -> Tensor:
        """The power of two of each output channel's weights, [outputs]: as large as 8 bits allow."""
        largest = self.weight.detach().abs().flatten(1).amax(1).clamp(min=2.0**-20)
        return torch.floor(torch.log2(MAX_WEIGHT / largest)).clamp(1, MAX_SHIFT)

    def integers(self) -> dict[str, Tensor]:
        """The layer as it is stored: weights int8, biases int32, shifts uint8."""
        shifts = self.shifts()
        factor = torch.exp2(shifts)
        weight = (self.weight.detach() * factor.view(-1, 1, 1, 1)).round().to(torch.int8)
        bias = (self.bias.detach() * factor / UNIT).round().to(torch.int32)
        return {"weight": weight, "bias": bias, "shift": shifts.to(torch.uint8)}

    def restore(self, weight: Tensor, bias: Tensor, shift: Tensor) -> None:
        """Takes up training from the stored integers: the inverse of `integers`."""
        factor = torch.exp2(shift.float())
        with torch.no_grad():
            self.weight.copy_(weight.float() / factor.view(-1, 1, 1, 1))
            self.bias.copy_(bias.float() * UNIT / factor)

    def freeze(self, integers: dict[str, Tensor], name: str) -> None:
        """Turns the layer into its exact form; raises UsageError if a sum could leave the exact range."""
        weight, bias, shift = integers["weight"], integers["bias"], integers["shift"]
        if weight.shape != self.weight.shape or bias.shape != shift.shape or bias.shape != self.bias.shape:
            raise UsageError(f"the weights of {name} have the wrong shape: they are another model's")
        half = 2.0 ** shift.double() / (2 * UNIT * self.scale)
        bound = weight.double().abs().flatten(1).sum(1) * MAX_ACTIVATION + bias.double().abs() + half
        if bool((bound >= EXACT).any()) or bool((half < 1).any()):
            raise UsageError(f"the weights of {name} exceed the range of exact arithmetic: they are damaged")
        self.weight = nn.Parameter(weight.float(), requires_grad=False)
        self.bias = nn.Parameter((bias.double() + half).float(), requires_grad=False)
        self.register_buffer("inverse", (UNIT * self.scale / 2.0 ** shift.double()).float().view(1, -1, 1, 1))
        self.rounding = "exact"

    def _exact(self, x: Tensor) -> Tensor:
        y = self.convolve(x, self.weight, self.bias).mul_(self.inverse).floor_()
        return y.clamp_(0, MAX_ACTIVATION) if self.activation else y


class Pointwise(Layer):
    """A matrix product at each position."""

    def __init__(self, inputs: int, outputs: int, *, scale: float = 1 / UNIT, activation: bool = True) -> None:
        super().__init__((outputs, inputs, 1, 1), scale=scale, activation=activation, fan_in=inputs)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.rounding != "exact":
            return F.conv2d(x, weight, bias)
        return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


class Depthwise(Layer):
    """A 3x3 filter on each channel; what lies outside counts as zero."""

    def __init__(self, channels: int) -> None:
        super().__init__((channels, 1, 3, 3), scale=1 / UNIT, activation=True, fan_in=9)
        with torch.no_grad():
            self.weight.mul_(0.5)
            self.weight[:, 0, 1, 1] += 0.7

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.rounding != "exact":
            return F.conv2d(x, weight, bias, padding=1, groups=len(bias))
        with nnpack.flags(
            enabled=False
        ):  # chosen where there is no oneDNN; its 3x3 filters are Winograd's, which round
            return F.conv2d(x, weight, bias, padding=1, groups=len(bias))


class Mix(nn.Module):
    """h -> activation(h + pointwise(depthwise(h))): looks at the neighbours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = Depthwise(channels)
        self.pointwise = Pointwise(channels, channels, activation=False)
        with torch.no_grad():
            self.pointwise.weight.mul_(0.3)

    def forward(self, h: Tensor) -> Tensor:
        limit = MAX_ACTIVATION if self.pointwise.rounding == "exact" else MAX_ACTIVATION * UNIT
        return F.hardtanh(h + self.pointwise(self.depthwise(h)), 0, limit)


def layers_of(module: nn.Module) -> Iterator[tuple[str, Layer]]:
    """The exact layers of a module by name."""
    return ((name, m) for name, m in module.named_modules() if isinstance(m, Layer))


def _straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    return value + (rounded - value).detach()
