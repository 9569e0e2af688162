"""An rmpgc model that depends on no training and no library's random numbers: all from a fixed sequence of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits, frozen_integers
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale import model
from progressive.codecs.rmpgc.backbones.multiscale.backbone import Multiscale
from progressive.codecs.rmpgc.backbones.multiscale.coding import (
    BASE_ROWS,
    FINE_BASE_TABLE,
    NEVER,
    PLANE_ROWS,
    REACHES,
    look_of,
    table_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.probability import MEAN_STEPS, ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.exact.tables import TOTAL

POINT = 40
"""Points lie up to this far from the middles of their bins."""

SURE_SCALES = 4
"""The lowest scales of the base's fine table, at which nothing is written."""

LAST_LAYERS = ("leave.", "filters.")
"""Small, so that transform and synthesis stay near the wavelet."""


@cache
def frozen_model(kernel: str = "float32") -> Multiscale:
    return Multiscale(frozen_tensors(), kernel)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = frozen_integers(ProbabilityNetworks(), Bits(1))
    tensors = {model.NETWORKS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_networks(integers))
    points = Bits(4)
    for name, reach in REACHES.items():
        tensors[model.TABLES + name] = _base_table(name, reach)
        tensors[model.POINTS + name] = _points(points, (BASE_ROWS, 2 * reach + 2))
    for plane in range(1, PLANES + 1):
        tensors[f"{model.TIERS_OF_ROWS}{plane}"] = _tiers(plane)
        tensors[model.POINTS + look_of(plane)] = _points(points, (PLANE_ROWS, 2))
        for tier in range(TIERS):
            tensors[model.TABLES + table_of(plane, tier)] = _plane_table(plane + tier)
            tensors[model.POINTS + table_of(plane, tier)] = _points(points, (PLANE_ROWS, 3))
    tensors |= {model.TRANSFORM + name: t for name, t in _floats(Transform(), Bits(3)).items()}
    return tensors | {model.SYNTHESIS + name: t for name, t in _floats(Synthesis(), Bits(2)).items()}


def _base_table(name: str, reach: int) -> Tensor:
    """The predicted index is the likeliest, the more so the lower the row, to where nothing is written."""
    row, symbol = np.arange(BASE_ROWS)[:, None], np.arange(2 * reach + 2)
    weights = 400 // (1 + abs(symbol - reach) * (1 + (BASE_ROWS - row) // 64))
    if name == FINE_BASE_TABLE:
        weights[: SURE_SCALES * MEAN_STEPS] = symbol == reach
    return _frequencies(weights, reach)


def _plane_table(variant: int) -> Tensor:
    row = np.arange(PLANE_ROWS)[:, None]
    return _frequencies(np.concatenate([40 + row % 97 * variant, 20 + row % 31, 15 + row % 23], 1), 0)


def _tiers(plane: int) -> Tensor:
    """Some first, as many later, one in eleven never."""
    row = torch.arange(PLANE_ROWS)
    return torch.where(row % 11 == plane, NEVER, row * plane // 7 % TIERS).to(torch.uint8)


def _points(bits: Bits, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(bits.integers(POINT, shape)).to(torch.int8)


def _frequencies(weights: NDArray[np.int64], rest: int) -> Tensor:
    """What rounding leaves goes to the symbol `rest`."""
    symbols = weights.shape[1]
    frequencies = 1 + weights * (TOTAL - symbols) // weights.sum(1, keepdims=True)
    frequencies[:, rest] += TOTAL - frequencies.sum(1)
    return torch.from_numpy(frequencies.astype(np.int16))


def _floats(module: nn.Module, bits: Bits) -> dict[str, Tensor]:
    found = {}
    for name, t in module.state_dict().items():
        small = any(part in name for part in LAST_LAYERS)
        size = (0.01 if small else 0.8) / max(1, t[0].numel()) ** 0.5
        found[name] = torch.from_numpy(bits.integers(2**12, tuple(t.shape)) / 2**12 * size).float()
    return found
