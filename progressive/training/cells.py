"""The Karhunen-Loeve transform of cells in closed form, from photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.transforms.cells import CellTransform


def fit_cells(transform: CellTransform, photos: Sequence[Photo]) -> None:
    """Sets a transform from some photos, each as it is and mirrored."""
    channels, samples = transform.analysis.shape[:2]
    moment, total, count = np.zeros((samples, samples)), np.zeros(samples), 0
    for photo in photos:
        for view in (photo, photo[:, ::-1]):
            cells = _cells_of(view, transform.cell)
            moment, total, count = moment + cells.T @ cells, total + cells.sum(0), count + len(cells)
    mean = total / max(count, 1)
    axes = np.linalg.eigh(moment / max(count, 1) - np.outer(mean, mean))[1][:, ::-1][:, :channels].astype(np.float32)
    with torch.no_grad():
        transform.analysis.copy_(torch.from_numpy(np.ascontiguousarray(axes.T))[:, :, None, None])
        transform.synthesis.copy_(torch.from_numpy(axes.copy())[:, :, None, None])
        transform.start.copy_(torch.from_numpy((mean @ axes).astype(np.float32))[:, None, None])


def _cells_of(photo: Photo, side: int) -> NDArray[np.float32]:
    """The samples of whole cells about zero, [cells, 3 * side * side]."""
    height, width = (n // side * side for n in photo.shape[:2])
    samples = torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255 - 0.5
    return F.pixel_unshuffle(samples, side)[0].flatten(1).T.numpy()
