"""What exact networks take: integers as activations, 0..255, in the order of memory that their layers want.

Legend: N items, C channels, h x w positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from progressive.exact.layers import MAX_ACTIVATION, UNIT

TRAINING = "training"
"""In place of a kernel (`layers.KERNELS`) for networks that are trained."""

SIZE_OF_ONE = 64
LARGEST_SEEN = 17
"""Indices look alike from here on."""


def activations(integers: Tensor, kernel: str) -> Tensor:
    """Integers 0..255 as a network takes them that computes with this kernel."""
    if kernel == TRAINING:
        return in_order(integers.to(torch.float32) * UNIT)
    return in_order(integers.to(torch.uint8 if kernel == "int8" else torch.float32))


def signed_sizes(indices: Tensor) -> Tensor:
    """Indices as integers 0..255, [N, C, h, w] -> [N, 2 C, h, w]: a logarithm, roughly, of those above and below 0."""
    size = indices.abs().to(torch.int32).clamp_(max=LARGEST_SEEN)
    size = torch.minimum(size * SIZE_OF_ONE, size * 10 + 88).clamp_(max=MAX_ACTIVATION)
    return torch.cat([size * (indices > 0), size * (indices < 0)], 1)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Along the channels."""
    return in_order(torch.cat(list(tensors), 1))


def in_order(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
