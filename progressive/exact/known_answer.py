"""Proof that a machine computes a network's integers as the one did that made its weights.

Streams decode anywhere only if every sum is the same everywhere. Each weight file holds what its networks make of fixed
inputs; whoever loads it computes that again, with the kernel that is to be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from progressive.errors import UsageError
from progressive.exact.layers import KERNELS, MAX_ACTIVATION, Conv, int8_is_fast, layers_of
from progressive.runtime.threads import one_thread

ITEMS = 32
"""Some libraries have other methods for many items, so the sums of each layer are of many."""


def known_answer(networks: nn.Module, exercise: Callable[[], None]) -> Tensor:
    """What exact networks make of fixed inputs, folded into two integers a layer, int64 [2 * layers].

    The first half are the outputs of each layer while `exercise` runs, which takes the networks over made-up symbols as
    they are used; the second half the sums of each layer by itself.
    """
    answer = {name: torch.zeros((), dtype=torch.int64) for name, _ in layers_of(networks)}

    def fold(name: str, output: Tensor) -> None:
        answer[name] = answer[name] * 31 + _folded(output)

    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: fold(name, output))
        for name, layer in layers_of(networks)
    ]
    try:
        with torch.inference_mode(), one_thread():
            exercise()
            sums = [_folded(_sums_of(layer)) for _, layer in layers_of(networks)]
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([*answer.values(), *sums])


def check_known_answer(networks: nn.Module, exercise: Callable[[], None], expected: Tensor, codec: str) -> None:
    """Raises UsageError if this machine does not compute the integers that the codec's weights were made with."""
    found = known_answer(networks, exercise)
    if found.shape != expected.shape or not torch.equal(found, expected):
        raise UsageError(
            f"the probability networks of {codec} do not give their known answer here, so nothing could be decoded: "
            "the weights are damaged (reinstall the package), or this build of PyTorch does not add integers exactly"
        )


def choose_kernel(use: Callable[[str], None], check: Callable[[], None], kernel: str) -> None:
    """Makes networks compute with a kernel; "auto" takes the fastest that is exact here.

    `use` puts one of `KERNELS` to use, `check` raises UsageError unless the networks are exact then. Raises UsageError
    if none, or not this one, is exact here.
    """
    if kernel not in ("auto", *KERNELS):
        raise UsageError(f"unknown kernel {kernel!r}: use one of auto, {', '.join(KERNELS)}")
    if kernel == "int8" or (kernel == "auto" and int8_is_fast()):
        try:
            use("int8")
            check()
            return
        except (RuntimeError, UsageError):
            if kernel == "int8":
                raise UsageError("this machine does not compute exactly with bytes: use the kernel float32") from None
    use("float32")
    check()


def made_up_numbers() -> Iterator[int]:
    """The same numbers everywhere, 0..32767, for made-up symbols."""
    seed = 12345
    while True:
        seed = (seed * 1103515245 + 12345) % 2**31
        yield seed >> 16


def _sums_of(layer: Conv) -> Tensor:
    """The unrounded sums of a layer: no input is zero, so that they tell one unit of any one weight."""
    shape = (ITEMS, 3, 3, layer.weight.shape[1])
    numbers = torch.arange(1, 1 + math.prod(shape), device=layer.weight.device) * 7919 % MAX_ACTIVATION + 1
    dtype = torch.uint8 if layer.kernel == "int8" else torch.float32
    return layer.sums(numbers.to(dtype).reshape(shape).permute(0, 3, 1, 2))


def _folded(output: Tensor) -> Tensor:
    """One integer that changes with any one value of an output [N, C, h, w]."""
    values = output.permute(0, 2, 3, 1).flatten().to(torch.int64)
    weights = torch.arange(1, len(values) + 1, device=values.device) % 251 + 1
    return (values * weights).sum().cpu()
