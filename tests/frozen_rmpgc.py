"""An rmpgc model that depends on no training and no library's random numbers: all from a fixed sequence of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.rmpgc import model
from progressive.codecs.rmpgc.analysis import Analysis
from progressive.codecs.rmpgc.coding import BASE_ROWS, PLANE_ROWS, REACHES, table_of
from progressive.codecs.rmpgc.layers import layers_of
from progressive.codecs.rmpgc.layout import PLANES, TIERS
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Dequantiser, Synthesis
from progressive.entropy.tables import TOTAL

WEIGHT, BIAS = 64, 4000
"""Probability networks have integers up to these, and a shift that keeps activations spread over their range."""

LAST_LAYERS = ("heads.", "leave.")
"""Small, so that transforms stay near the wavelet."""


class Bits:
    """A sequence that NumPy promises never to change."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.PCG64(seed)

    def integers(self, largest: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Evenly from -largest to largest."""
        raw = self._source.random_raw(int(np.prod(shape))) >> np.uint64(33)
        return (raw.astype(np.int64) % (2 * largest + 1) - largest).reshape(shape)


@cache
def frozen_model() -> model.Model:
    return model.Model(frozen_tensors())


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = _integers(Bits(1))
    tensors = {model.NETWORKS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_networks(integers))
    for name, reach in REACHES.items():
        tensors[model.TABLES + name] = _base_table(reach)
    for plane in range(1, PLANES + 1):
        tensors[f"{model.TIERS}{plane}"] = (torch.arange(PLANE_ROWS) * plane // 7 % 2).to(torch.uint8)
        for tier in range(TIERS):
            tensors[model.TABLES + table_of(plane, tier)] = _plane_table(plane + tier)
    tensors[model.DEQUANTISER + "inward"] = torch.full_like(Dequantiser().inward, 0.0625)
    tensors |= {model.SYNTHESIS + name: t for name, t in _floats(Synthesis(), Bits(2)).items()}
    return tensors | {model.ANALYSIS + name: t for name, t in _floats(Analysis(), Bits(3)).items()}


def _integers(bits: Bits) -> dict[str, Tensor]:
    found = {}
    for name, layer in layers_of(ProbabilityNetworks()):
        shape = tuple(layer.weight.shape)
        shift = round(np.log2(0.5 * WEIGHT * np.prod(shape[1:]) ** 0.5))
        found[f"{name}.weight"] = torch.from_numpy(bits.integers(WEIGHT, shape)).to(torch.int8)
        found[f"{name}.bias"] = torch.from_numpy(bits.integers(BIAS, shape[:1])).to(torch.int32)
        found[f"{name}.shift"] = torch.full(shape[:1], shift, dtype=torch.uint8)
    return found


def _base_table(reach: int) -> Tensor:
    """The predicted index is the likeliest, the more so the lower the row."""
    row, symbol = np.arange(BASE_ROWS)[:, None], np.arange(2 * reach + 2)
    return _frequencies(400 // (1 + abs(symbol - reach) * (1 + (BASE_ROWS - row) // 64)))


def _plane_table(variant: int) -> Tensor:
    row = np.arange(PLANE_ROWS)[:, None]
    return _frequencies(np.concatenate([40 + row % 97 * variant, 20 + row % 31, 15 + row % 23], 1))


def _frequencies(weights: NDArray[np.int64]) -> Tensor:
    symbols = weights.shape[1]
    frequencies = 1 + weights * (TOTAL - symbols) // weights.sum(1, keepdims=True)
    frequencies[:, 0] += TOTAL - frequencies.sum(1)
    return torch.from_numpy(frequencies.astype(np.int16))


def _floats(module: nn.Module, bits: Bits) -> dict[str, Tensor]:
    found = {}
    for name, t in module.state_dict().items():
        size = (0.01 if name.startswith(LAST_LAYERS) else 0.8) / max(1, t[0].numel()) ** 0.5
        found[name] = torch.from_numpy(bits.integers(2**12, tuple(t.shape)) / 2**12 * size).float()
    return found
