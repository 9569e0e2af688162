"""Convolutions that compute in exact integers, and their twins for training.

Activations are integers 0..255 that stand for 0..3.98 (`UNIT` = 1/64); weights are integers -127..127 with a power of
two for each output channel. As long as sum |w| * 255 + |b| stays below 2^24, every partial sum is an integer that
float32 holds exactly: the result depends neither on the order of summation nor on threads, device or library.
That bound is checked when weights are loaded.

Two **kernels** give the same integers. `float32` runs everywhere: convolutions as direct sums on the CPU, as matrix
products elsewhere, never Winograd's or Fourier's. `int8` is several times faster where the processor multiplies bytes
(VNNI or AMX) and torch was built with oneDNN; activations are bytes between its layers.

Legend: N items, C channels, h x w positions. Tensors are [N, C, h, w] in channels_last order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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

KERNELS = ("float32", "int8")

MAX_PACKED = 64
"""Shapes of inputs for which a layer keeps its weights in order; a photo and its blocks have about twenty."""


class Conv(nn.Module):
    """A convolution, to train in floats and to compute with in integers.

    `rounding` chooses how it computes: "none" (floats, no upper bound), "straight-through" (rounded weights and
    activations, gradients as if they were not) or "exact" (integers in, integers out; set by `freeze`).

    Args:
        inputs, outputs: numbers of channels.
        side: of the kernel, 1 or 3.
        kinds: how many biases there are to choose from: what the items of a call are (their scale, their plane).
        stride: 1 keeps the size; 2 looks at every other position of an input that is padded already.
        scale: how many output integers stand for 1.0; 64 for activations, fewer for table indices; a power of two.
        activation: clip the output to 0..255; without it the output is a signed integer, float32.
    """

    inverse: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int = 1,
        *,
        kinds: int = 1,
        stride: int = 1,
        scale: float = 1 / UNIT,
        activation: bool = True,
    ) -> None:
        super().__init__()
        gain = 2.0 if activation else 1.0
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side) * (gain / (inputs * side**2)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(kinds, outputs))
        self.scale, self.activation, self.stride = scale, activation, stride
        self.padding = side // 2 if stride == 1 else 0
        self.rounding, self.kernel = "none", "float32"
        self._packed: dict[torch.Size, Tensor] = {}
        self._of_rows: list[Conv] = []

    def forward(self, x: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
        """[N, C, h, w] -> [N, outputs, h, w].

        Args:
            kind: that of the items.
            plus: activations that are added before rounding and clipping, [N, outputs, h, w].
        """
        if self.rounding == "exact":
            return self._exact(x, kind, plus)
        if self.rounding == "none":
            y = _sum(F.conv2d(x, self.weight, self.bias[kind], self.stride, self.padding), plus)
            return F.relu(y) if self.activation else y
        factor = torch.exp2(self.shifts()).view(-1, 1, 1, 1)
        weight = _straight_through(self.weight, (self.weight * factor).round() / factor)
        y = _sum(F.conv2d(x, weight, self.bias[kind], self.stride, self.padding), plus)
        y = _straight_through(y, (y * self.scale).round() / self.scale)
        return F.hardtanh(y, 0, MAX_ACTIVATION * UNIT) if self.activation else y

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

    def takes(self, weight: Tensor, bias: Tensor, shift: Tensor) -> bool:
        """Whether stored integers have the layer's shapes."""
        return weight.shape == self.weight.shape and bias.shape == self.bias.shape and shift.shape == bias.shape[1:]

    def freeze(self, integers: dict[str, Tensor], name: str) -> None:
        """Turns the layer into its exact form; raises UsageError if a sum could leave the exact range."""
        weight, bias, shift = integers["weight"], integers["bias"], integers["shift"]
        if not self.takes(weight, bias, shift):
            raise UsageError(f"the weights of {name} have the wrong shape: they are another model's")
        bound = weight.double().abs().flatten(1).sum(1) * MAX_ACTIVATION + bias.double().abs().amax(0)
        if bool((bound >= EXACT).any()) or int(weight.min()) < -MAX_WEIGHT or int(shift.max()) > MAX_SHIFT:
            raise UsageError(f"the weights of {name} exceed the range of exact arithmetic: they are damaged")
        self.weight = nn.Parameter(weight.float(), requires_grad=False)
        self.register_buffer("inverse", (UNIT * self.scale / 2.0 ** shift.double()).float())
        # Powers of two times integers: the product is as exact as the integers.
        self.bias = nn.Parameter(bias.float() * self.inverse, requires_grad=False)
        self.rounding = "exact"

    def use(self, kernel: str) -> None:
        """Chooses the kernel of a frozen layer; raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        self._packed, self._of_rows = {}, []
        if kernel == "int8":
            self._zero = torch.zeros(len(self.weight), dtype=torch.int32)
            self._packed_for(torch.Size([1, self.weight.shape[1], 8, 8]))

    def _packed_for(self, shape: torch.Size) -> Tensor:
        """The weights in the order that the kernel for inputs of this shape reads: any other is put in order anew by
        every call, which takes longer than the convolution of small inputs."""
        packed = self._packed.get(shape)
        if packed is None:
            if len(self._packed) >= MAX_PACKED:
                self._packed = {}
            packed = torch.ops.onednn.qconv_prepack(
                self.weight.to(torch.int8), torch.ones(len(self.weight)), 1.0, 0, *self._shape, list(shape)
            )
            self._packed[shape] = packed
        return packed

    def of_rows(self) -> Conv:
        """A frozen layer for inputs that hold the positions around each, [N, 9 C, h, w]; itself if it looks at one."""
        if self.weight.shape[-1] == 1:
            return self
        if not self._of_rows:  # a list, so that it is no part of the network
            outputs, inputs = self.weight.shape[:2]
            layer = Conv(9 * inputs, outputs, scale=self.scale, activation=self.activation)
            rows = self.weight.permute(0, 2, 3, 1).reshape(outputs, -1, 1, 1)
            layer.weight = nn.Parameter(rows, requires_grad=False)
            layer.register_buffer("inverse", self.inverse)
            layer.bias, layer.rounding = self.bias, self.rounding
            layer.use(self.kernel)
            self._of_rows = [layer]
        return self._of_rows[0]

    @property
    def _shape(self) -> tuple[list[int], list[int], list[int], int]:
        return [self.stride] * 2, [self.padding] * 2, [1, 1], 1

    def _exact(self, x: Tensor, kind: int, plus: Tensor | None) -> Tensor:
        if self.kernel == "int8":
            if not self.activation:
                return self._convolved_bytes(x, self.inverse, self.bias[kind], torch.float32).round_()
            if plus is None:
                return self._convolved_bytes(x, self.inverse, self.bias[kind], torch.uint8)
            packed = self._packed_for(x.shape)
            y: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
                x, 1.0, 0, packed, self.inverse, self._zero, plus.clone(), self.bias[kind], *self._shape,
                1.0, 0, torch.uint8, 1.0, 0, "sum", 1.0, "none", [], None,
            )  # fmt: skip
            return y
        y = self.sums(x).mul_(self.inverse.view(1, -1, 1, 1)).add_(self.bias[kind].view(1, -1, 1, 1))
        y = (y if plus is None else y.add_(plus)).round_()
        return y.clamp_(0, MAX_ACTIVATION) if self.activation else y

    def sums(self, x: Tensor) -> Tensor:
        """The sums of products of an exact layer, float32 [N, outputs, h, w]."""
        if self.kernel == "int8":
            ones = torch.ones_like(self.inverse)
            return self._convolved_bytes(x, ones, torch.zeros_like(ones), torch.float32)
        if self.weight.shape[-1] == 1 and self.stride == 1:
            return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1)).permute(0, 3, 1, 2)
        if x.device.type == "cpu":
            with nnpack.flags(enabled=False):  # chosen where there is no oneDNN; its 3x3 filters are Winograd's
                return F.conv2d(x, self.weight, None, self.stride, self.padding)
        return self._by_matrix_product(x)

    def _convolved_bytes(self, x: Tensor, factor: Tensor, bias: Tensor, kind: torch.dtype) -> Tensor:
        """Sums of bytes times a factor, plus a bias: bytes rounded and clipped, or float32 as they are."""
        y: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, 1.0, 0, self._packed_for(x.shape), factor, self._zero, bias, *self._shape, 1.0, 0, kind, "none", [], None
        )
        return y

    def _by_matrix_product(self, x: Tensor) -> Tensor:
        side = self.weight.shape[-1]
        height, width = ((n + 2 * self.padding - side) // self.stride + 1 for n in x.shape[2:])
        columns = F.unfold(x, side, padding=self.padding, stride=self.stride).transpose(1, 2)
        y = F.linear(columns, self.weight.flatten(1))
        return y.reshape(len(x), height, width, -1).permute(0, 3, 1, 2)


class Residual(nn.Module):
    """h -> activation(h + conv(conv(h))), both 3x3: looks at the neighbours. Argument: channels of both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Conv(channels, channels, 3), Conv(channels, channels, 3)
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, h: Tensor) -> Tensor:
        added: Tensor = self.second(self.first(h), plus=h)
        return added


def layers_of(module: nn.Module) -> Iterator[tuple[str, Conv]]:
    """The exact layers of a module by name."""
    return ((name, m) for name, m in module.named_modules() if isinstance(m, Conv))


def integers_of(networks: nn.Module) -> dict[str, Tensor]:
    """All exact layers of trained networks as they are stored."""
    return {f"{name}.{part}": t for name, layer in layers_of(networks) for part, t in layer.integers().items()}


def freeze_layers(networks: nn.Module, integers: Mapping[str, Tensor]) -> None:
    """Turns networks into their exact form, with what `integers_of` gave.

    Raises KeyError for a missing tensor, UsageError for one beyond the bounds.
    """
    for name, layer in layers_of(networks):
        layer.freeze({part: integers[f"{name}.{part}"] for part in ("weight", "bias", "shift")}, name)
    networks.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def int8_is_fast() -> bool:
    """Whether this processor multiplies bytes without saturating their sums, and torch can use it."""
    found = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(found()) and built and hasattr(torch.ops.onednn, "qconv2d_pointwise")


def _sum(y: Tensor, plus: Tensor | None) -> Tensor:
    return y if plus is None else y + plus


def _straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    return value + (rounded - value).detach()
