"""A hyperprior model that depends on no training and no library's random numbers: all from sequences of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits, frozen_integers
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior import model
from progressive.codecs.rmpgc.backbones.hyperprior.channels import CELL, CHANNELS, HYPER_REACH
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Encoder
from progressive.codecs.rmpgc.backbones.hyperprior.model import Decoder, Model
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Priors
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import Quantiser
from progressive.codecs.rmpgc.backbones.hyperprior.tables import SHAPES
from progressive.exact.laplace import REACH, ROWS, STEPS, SYMBOLS
from progressive.exact.tables import TOTAL

SURE_SCALES = 4
"""The lowest scales of the latent's tables, at which nothing is written."""

LAST_LAYERS = ("leave.", "second.")
"""Small, so that the networks add little to the linear transform."""


@cache
def frozen_model(kernel: str = "float32") -> Model:
    return Model(frozen_tensors(), kernel)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = frozen_integers(Priors(), Bits(1))
    tensors = {model.PRIORS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_priors(integers))
    for number, (name, shape) in enumerate(SHAPES.items()):
        tensors[model.TABLES + name] = _latent(number) if shape == (ROWS, SYMBOLS) else _hyper(shape[0])
    for seed, (module, prefix) in enumerate(model.parts_of(Encoder(), Decoder()), 10):
        tensors |= {prefix + name: t for name, t in _floats(module, Bits(seed)).items()}
    steps = Quantiser().state_dict()
    return tensors | {model.QUANTISER + name: t for name, t in steps.items()} | _cosines()


def _latent(number: int) -> Tensor:
    """The predicted index is the likeliest, the more so the lower the row, to where nothing is written."""
    row, symbol = np.arange(ROWS)[:, None], np.arange(SYMBOLS)
    weights = 400 // (1 + abs(symbol - REACH) * (1 + number + (ROWS - row) // 64))
    weights[: SURE_SCALES * STEPS] = symbol == REACH
    return _frequencies(weights, REACH)


def _hyper(channels: int) -> Tensor:
    away = abs(np.arange(-HYPER_REACH, HYPER_REACH + 1))
    return _frequencies(np.tile(400 // (1 + away), (channels, 1)), HYPER_REACH)


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


def _cosines() -> dict[str, Tensor]:
    """A transform that works: cosines of low frequency in each colour."""
    position = (np.arange(CELL) + 0.5) * np.pi / CELL
    order = sorted((u + v, u, v) for u in range(8) for v in range(8))[: CHANNELS // 3]
    axes = []
    for _, u, v in order:
        wave = np.outer(np.cos(u * position), np.cos(v * position))
        for colour in range(3):
            cell = np.zeros((3, CELL, CELL))
            cell[colour] = wave / np.sqrt((wave**2).sum())
            axes.append(cell.ravel())
    axes += [np.zeros(3 * CELL**2)] * (CHANNELS - len(axes))
    analysis = torch.from_numpy(np.stack(axes)).float()
    return {
        f"{model.LINEAR}analysis": analysis[:, :, None, None],
        f"{model.LINEAR}synthesis": analysis.T.contiguous()[:, :, None, None],
        f"{model.LINEAR}start": torch.zeros(CHANNELS, 1, 1),
    }
