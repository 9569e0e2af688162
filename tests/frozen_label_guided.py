"""A label-guided model that depends on no training and no library's random numbers: all from sequences of bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits, frozen_integers
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.label_guided import model
from progressive.codecs.label_guided.analysis import Analysis, HyperAnalysis
from progressive.codecs.label_guided.label_prior import ROWS as LABEL_ROWS
from progressive.codecs.label_guided.label_prior import TABLE as LABELS
from progressive.codecs.label_guided.linear import Linear
from progressive.codecs.label_guided.model import Model, Priors
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, HYPER_REACH
from progressive.codecs.label_guided.segmentation import Segmentation
from progressive.codecs.label_guided.synthesis import Synthesis
from progressive.codecs.label_guided.tables import HYPER, LATENT
from progressive.exact.laplace import REACH, ROWS, STEPS, SYMBOLS
from progressive.exact.tables import TOTAL

POINT = 20
"""Points lie up to this far from the middles of their bins."""

SURE_SCALES = 4
"""The lowest scales of the latent's table, at which nothing is written."""

LAST_LAYERS = ("leave.", "convolutions.1", "second.")
"""Small, so that the networks add little to the linear transform."""


@cache
def frozen_model(kernel: str = "float32") -> Model:
    return Model(frozen_tensors(), kernel)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = frozen_integers(Priors(), Bits(1))
    tensors = {model.PRIORS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_priors(integers))
    tensors[model.UNSURE] = torch.tensor(0.5)
    tensors[model.POINTS] = torch.from_numpy(Bits(4).integers(POINT, (ROWS, SYMBOLS))).to(torch.int8)
    for name, table in {LATENT: _latent(), LABELS: _labels(), HYPER: _hyper()}.items():
        tensors[model.TABLES + name] = table
    modules: dict[str, nn.Module] = {
        model.LINEAR: Linear(),
        model.ANALYSIS: Analysis(),
        model.HYPER: HyperAnalysis(),
        model.SYNTHESIS: Synthesis(),
        model.SEGMENTATION: Segmentation(),
    }
    for seed, (prefix, module) in enumerate(modules.items(), 10):
        tensors |= {prefix + name: t for name, t in _floats(module, Bits(seed)).items()}
    return tensors | _cosines()


def _latent() -> Tensor:
    """The predicted index is the likeliest, the more so the lower the row, to where nothing is written."""
    row, symbol = np.arange(ROWS)[:, None], np.arange(SYMBOLS)
    weights = 400 // (1 + abs(symbol - REACH) * (1 + (ROWS - row) // 64))
    weights[: SURE_SCALES * STEPS] = symbol == REACH
    return _frequencies(weights, REACH)


def _labels() -> Tensor:
    row = np.arange(LABEL_ROWS)[:, None]
    return _frequencies(np.concatenate([LABEL_ROWS - row, row + 1], 1), 1)


def _hyper() -> Tensor:
    away = abs(np.arange(-HYPER_REACH, HYPER_REACH + 1))
    return _frequencies(np.tile(400 // (1 + away), (HYPER_CHANNELS, 1)), HYPER_REACH)


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
    position = (np.arange(16) + 0.5) * np.pi / 16
    order = sorted((u + v, u, v) for u in range(5) for v in range(5))[:21]
    axes = []
    for _, u, v in order:
        wave = np.outer(np.cos(u * position), np.cos(v * position))
        for colour in range(3):
            cell = np.zeros((3, 16, 16))
            cell[colour] = wave / np.sqrt((wave**2).sum())
            axes.append(cell.ravel())
    axes.append(np.zeros(768))
    analysis = torch.from_numpy(np.stack(axes)).float()
    return {
        f"{model.LINEAR}analysis": analysis[:, :, None, None],
        f"{model.LINEAR}synthesis": analysis.T.contiguous()[:, :, None, None],
        f"{model.LINEAR}start": torch.zeros(64, 1, 1),
    }
