"""The stored tables: how often each symbol really occurred where the networks said what they said.

A row that was seldom seen falls back on the distribution that the networks were trained with.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc import coding
from progressive.codecs.rmpgc.coding import BASE_ROWS, PLANE_ROWS, REACHES
from progressive.codecs.rmpgc.layout import PLANES
from progressive.codecs.rmpgc.model import ESCAPE_TABLE, plane_table
from progressive.codecs.rmpgc.quantiser import MAX_INDEX
from progressive.codecs.rmpgc.probability import MEAN_STEPS, ODDS_STEPS, SCALE_STEPS, ProbabilityNetworks
from progressive.codecs.rmpgc.tile import code_everything
from progressive.entropy.coders import CountCollector
from progressive.entropy.tables import frequencies_from_counts

PRIOR = 50.0
"""The weight of the trained distribution, in symbols."""


def fit_tables(networks: ProbabilityNetworks, latents: Iterable[list[Tensor]]) -> dict[str, Tensor]:
    """Tables for exact networks from the latents (five scales, of one photo each) of some photos: int32 tensors."""
    prior = {name: _base_prior(reach) for name, reach in REACHES.items()}
    prior |= {plane_table(plane): _plane_prior() for plane in range(1, PLANES + 1)}
    shapes = {name: table.shape for name, table in prior.items()} | {ESCAPE_TABLE: (1, 2 * MAX_INDEX + 2)}
    counter = CountCollector(shapes)
    with torch.inference_mode():
        for latent in latents:
            code_everything(networks, latent, counter)
    return {
        name: torch.from_numpy(frequencies_from_counts(counter.counts[name] + PRIOR * prior[name]).astype(np.int32))
        for name in prior
    }


def _base_prior(reach: int) -> NDArray[np.float64]:
    """Laplace distributions over the distance from the rounded mean, [BASE_ROWS, 2 reach + 2]."""
    row = np.arange(BASE_ROWS)
    scale = np.exp((row // MEAN_STEPS + coding.LEAST_SCALE) / SCALE_STEPS)[:, None]
    mean = ((row % MEAN_STEPS - MEAN_STEPS // 2) / MEAN_STEPS)[:, None]
    edges = np.arange(-reach, reach + 2) - 0.5 - mean
    below = np.where(edges < 0, 0.5 * np.exp(np.minimum(edges, 0) / scale), 1 - 0.5 * np.exp(-np.maximum(edges, 0) / scale))
    inside = np.diff(below, axis=1)
    return np.concatenate([inside, 1 - inside.sum(1, keepdims=True)], 1).clip(min=0)


def _plane_prior() -> NDArray[np.float64]:
    """The trained distribution of each row's log-odds, [PLANE_ROWS, 3]."""
    row = np.arange(PLANE_ROWS) % (coding.ZERO_ROWS * coding.SIGN_ROWS)
    nonzero = _logistic((row // coding.SIGN_ROWS + coding.LEAST_ZERO) / ODDS_STEPS)
    outward = _logistic((row % coding.SIGN_ROWS + coding.LEAST_SIGN) / ODDS_STEPS)
    return np.stack([1 - nonzero, nonzero * outward, nonzero * (1 - outward)], 1)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))
