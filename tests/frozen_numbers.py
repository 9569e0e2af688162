"""Weights that depend on no training and no library's random numbers: all from a fixed sequence of bits."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.exact.layers import layers_of

WEIGHT, BIAS = 64, 4000
"""Exact layers have integers up to these."""

ACTIVATION_GAIN, OUTPUT_GAIN = 3.0, 1.0
"""With these shifts activations spread over their range, and outputs over the rows of the tables."""


class Bits:
    """A sequence that NumPy promises never to change."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.PCG64(seed)

    def integers(self, largest: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Evenly from -largest to largest."""
        raw = self._source.random_raw(int(np.prod(shape))) >> np.uint64(33)
        return (raw.astype(np.int64) % (2 * largest + 1) - largest).reshape(shape)


def frozen_integers(networks: nn.Module, bits: Bits) -> dict[str, Tensor]:
    """Stored integers for all exact layers of networks."""
    found = {}
    for name, layer in layers_of(networks):
        shape, biases = tuple(layer.weight.shape), tuple(layer.bias.shape)
        gain = ACTIVATION_GAIN if layer.activation else OUTPUT_GAIN
        shift = round(np.log2(WEIGHT * np.prod(shape[1:]) ** 0.5 / gain))
        found[f"{name}.weight"] = torch.from_numpy(bits.integers(WEIGHT, shape)).to(torch.int8)
        found[f"{name}.bias"] = torch.from_numpy(bits.integers(BIAS, biases)).to(torch.int32)
        found[f"{name}.shift"] = torch.full(shape[:1], shift, dtype=torch.uint8)
    return found
