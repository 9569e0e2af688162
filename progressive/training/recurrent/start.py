"""The linear start in closed form: the Karhunen-Loeve transform of cells, and which code refines which coefficient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.recurrent.layout import BITS, CELL, ITERATIONS
from progressive.codecs.recurrent.linear import COEFFICIENTS, SAMPLES, Linear

MOST_CELLS = 160_000
"""That steps are settled on."""

Cells = NDArray[np.float32]
"""Cells as vectors, [cells, SAMPLES], in 0..1 about zero."""


def fit_linear(linear: Linear, photos: Sequence[Photo]) -> None:
    """Sets transform, order and steps from some photos."""
    moment, total, count = np.zeros((SAMPLES, SAMPLES)), np.zeros(SAMPLES), 0
    for cells in map(_cells_of, photos):
        moment, total, count = moment + cells.T @ cells, total + cells.sum(0), count + len(cells)
    mean = total / count
    axes = np.linalg.eigh(moment / count - np.outer(mean, mean))[1][:, ::-1][:, :COEFFICIENTS].astype(np.float32)
    start = (mean @ axes).astype(np.float32)
    coefficients = np.concatenate(list(_some(photos, axes))) - start
    with torch.no_grad():
        linear.analysis.copy_(torch.from_numpy(np.ascontiguousarray(axes.T)))
        linear.synthesis.copy_(torch.from_numpy(axes.copy()))
        linear.start.copy_(torch.from_numpy(start))
        for iteration, (coefficient, depth, step) in enumerate(_refinements(coefficients)):
            linear.coefficient[iteration] = torch.from_numpy(coefficient)
            linear.depth[iteration] = torch.from_numpy(depth)
            linear.step[iteration] = torch.from_numpy(step)


def _some(photos: Sequence[Photo], axes: Cells) -> Iterator[Cells]:
    left = MOST_CELLS
    for photo in photos:
        cells = _cells_of(photo)[:left]
        left -= len(cells)
        yield cells @ axes
        if not left:
            return


def _cells_of(photo: Photo) -> Cells:
    height, width = (n // CELL * CELL for n in photo.shape[:2])
    samples = torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255 - 0.5
    return torch.nn.functional.pixel_unshuffle(samples, CELL)[0].flatten(1).T.numpy()


def _refinements(left: Cells) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """For each iteration and code the coefficient, how many codes refine it before, and the step; changes `left`.

    In the order of depth, so that most codes that follow from each other are in different sets of the entropy coder.
    """
    energy = np.square(left).mean(0)
    for _ in range(ITERATIONS):
        chosen: list[tuple[int, int, float]] = []
        times = np.zeros(len(energy), np.int64)
        for _ in range(BITS):
            coefficient = int(energy.argmax())
            values = left[:, coefficient]
            step = float(np.abs(values).mean())
            values -= step * np.where(values >= 0, 1, -1).astype(np.float32)
            energy[coefficient] = np.square(values).mean()
            chosen.append((int(times[coefficient]), coefficient, step))
            times[coefficient] += 1
        chosen.sort(key=lambda each: each[0])
        depth, coefficients, steps = zip(*chosen, strict=True)
        yield np.array(coefficients), np.array(depth), np.array(steps, np.float32)
