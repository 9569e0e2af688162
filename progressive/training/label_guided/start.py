"""A good start in closed form: the Karhunen-Loeve transform of cells, and how large each coefficient usually is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.label_guided.groups import CHANNELS, FIRST, GROUPS, ROOT
from progressive.codecs.label_guided.layout import CELL
from progressive.codecs.label_guided.linear import SAMPLES, Linear
from progressive.codecs.label_guided.prior import Pass, Prior

SMALLEST_SIZE = 0.03
"""In steps; a scale below this costs nothing more."""


def fit_linear(linear: Linear, photos: Sequence[Photo]) -> None:
    """Sets the transform from some photos, each as it is and mirrored."""
    moment, total, count = np.zeros((SAMPLES, SAMPLES)), np.zeros(SAMPLES), 0
    for photo in photos:
        for view in (photo, photo[:, ::-1]):
            cells = _cells_of(view)
            moment, total, count = moment + cells.T @ cells, total + cells.sum(0), count + len(cells)
    mean = total / max(count, 1)
    axes = np.linalg.eigh(moment / max(count, 1) - np.outer(mean, mean))[1][:, ::-1][:, :CHANNELS].astype(np.float32)
    with torch.no_grad():
        linear.analysis.copy_(torch.from_numpy(np.ascontiguousarray(axes.T))[:, :, None, None])
        linear.synthesis.copy_(torch.from_numpy(axes.copy())[:, :, None, None])
        linear.start.copy_(torch.from_numpy((mean @ axes).astype(np.float32))[:, None, None])


@torch.no_grad()
def start_from_sizes(prior: Prior, coefficients: Tensor) -> None:
    """Sets the biases of the outputs' scales from coefficients in steps of some photos, [N, C, h, w]."""
    size = torch.log2(coefficients.abs().mean((0, 2, 3)).clamp(min=SMALLEST_SIZE))
    for network in prior.passes:
        assert isinstance(network, Pass)
        network.out.bias[0, FIRST:] = size[:FIRST]
    for group, layer in enumerate(prior.out, ROOT + 1):
        own = size[GROUPS[group]]
        layer.bias[0, len(own) :] = own  # type: ignore[operator]


def _cells_of(photo: Photo) -> NDArray[np.float32]:
    height, width = (n // CELL * CELL for n in photo.shape[:2])
    samples = torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255 - 0.5
    return torch.nn.functional.pixel_unshuffle(samples, CELL)[0].flatten(1).T.numpy()
