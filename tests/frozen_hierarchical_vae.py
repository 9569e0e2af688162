"""A hierarchical VAE that depends on no training and no library's random numbers: all from a fixed sequence of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits, frozen_integers
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.hierarchical_vae import model
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.prior import STEPS, Prior
from progressive.codecs.hierarchical_vae.resnet import BottomUp, TopDown
from progressive.codecs.hierarchical_vae.tables import NARROW, REACHES, ROWS
from progressive.exact.tables import TOTAL

POINT = 20
"""Points lie up to this far from the middles of their bins."""

SURE_SCALES = 4
"""The lowest scales of the narrow table, at which nothing is written."""

LAST_LAYERS = ("leave.", "second.")
"""Small, so that the networks add little to the wavelet."""


@cache
def frozen_model(kernel: str = "float32") -> Model:
    return Model(frozen_tensors(), kernel)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = frozen_integers(Prior(), Bits(1))
    tensors = {model.PRIOR + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_prior(integers))
    points = Bits(4)
    for name, reach in REACHES.items():
        shape = (ROWS[name], 2 * reach + 2)
        tensors[model.TABLES + name] = _table(name, reach)
        tensors[model.POINTS + name] = torch.from_numpy(points.integers(POINT, shape)).to(torch.int8)
    tensors |= {model.BOTTOM_UP + name: t for name, t in _floats(BottomUp(), Bits(3)).items()}
    return tensors | {model.TOP_DOWN + name: t for name, t in _floats(TopDown(), Bits(2)).items()}


def _table(name: str, reach: int) -> Tensor:
    """The predicted index is the likeliest, the more so the lower the row, to where nothing is written."""
    row, symbol = np.arange(ROWS[name])[:, None], np.arange(2 * reach + 2)
    weights = 400 // (1 + abs(symbol - reach) * (1 + (ROWS[name] - row) // 64))
    if name == NARROW:
        weights[: SURE_SCALES * STEPS] = symbol == reach
    return _frequencies(weights, reach)


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
