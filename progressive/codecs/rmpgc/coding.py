"""From the networks' outputs to rows of probability tables, and symbols through a coder.

`PassCoder`s here are what `ProbabilityNetworks` calls for each pass. They work alike for encoding, decoding and counting:
what happens to the symbols is the `SymbolCoder`'s business.

Legend: N tiles or blocks; C coefficients a position; h x w positions; S symbols of a pass in a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.layout import LUMA
from progressive.codecs.rmpgc.model import COARSE_BASE_TABLE, ESCAPE_TABLE, FINE_BASE_TABLE, plane_table
from progressive.codecs.rmpgc.probability import MEAN_STEPS
from progressive.codecs.rmpgc.quantiser import MAX_INDEX
from progressive.entropy.coders import SymbolCoder
from progressive.errors import BitstreamError

REACHES = {COARSE_BASE_TABLE: 20, FINE_BASE_TABLE: 2}
"""Base symbols are distances from the predicted mean, up to this; one more symbol says that the index itself follows.

The many positions of the finer scales are nearly always zero; every symbol that a table has costs them something.
"""

FINE_BASE_SCALES = (3, 4)

LEAST_SCALE, SCALE_ROWS = -26, 59
"""Row numbers of the base's scale, in steps of `SCALE_STEPS` a factor e."""

BASE_ROWS = SCALE_ROWS * MEAN_STEPS

LEAST_ZERO, ZERO_ROWS = -32, 64
LEAST_SIGN, SIGN_ROWS = -12, 25
"""Row numbers of a plane's two log-odds, in steps of `ODDS_STEPS` a nat."""

PLANE_ROWS = 2 * ZERO_ROWS * SIGN_ROWS
ZERO, OUTWARD, INWARD = 0, 1, 2
"""Symbols of a plane: the middle third; the third that is farther from zero than the middle (or positive); the other."""


@dataclass
class BasePasses:
    """Codes the base of one scale. Fields: truth: indices [N, C, h, w], ignored by a decoder."""

    coder: SymbolCoder
    scale: int
    truth: Tensor | None = None

    def __call__(self, number: int, parameters: Tensor) -> Tensor:
        places = _places(number, *parameters.shape[-2:])
        mean, scale = _chosen(parameters, places)
        centre = (mean + MEAN_STEPS // 2) // MEAN_STEPS
        centre = centre.clip(-MAX_INDEX, MAX_INDEX)
        fraction = (mean - MEAN_STEPS * centre + MEAN_STEPS // 2).clip(0, MEAN_STEPS - 1)
        rows = (scale - LEAST_SCALE).clip(0, SCALE_ROWS - 1) * MEAN_STEPS + fraction
        index = np.zeros(rows.shape, np.int32)
        if self.truth is not None:
            index = _chosen_truth(self.truth, number, self.scale, places)
        index = self._through(rows, index, centre)
        return _placed(index, parameters, places)

    def _through(self, rows: NDArray[np.int32], index: NDArray[np.int32], centre: NDArray[np.int32]) -> NDArray[np.int32]:
        table = FINE_BASE_TABLE if self.scale in FINE_BASE_SCALES else COARSE_BASE_TABLE
        reach = REACHES[table]
        escape = 2 * reach + 1
        symbols = index - centre + reach
        symbols[(symbols < 0) | (symbols > escape)] = escape
        coded = self.coder.code(table, rows.ravel(), symbols.ravel(), _owners(rows)).reshape(rows.shape)
        found: NDArray[np.int32] = coded - reach + centre
        escaped = coded == escape
        if escaped.any():
            plain = (index[escaped] + MAX_INDEX).astype(np.int32)
            owners = _owners(rows).reshape(rows.shape)[escaped]
            found[escaped] = self.coder.code(ESCAPE_TABLE, np.zeros(len(plain), np.intp), plain, owners) - MAX_INDEX
        if np.abs(found).max(initial=0) > MAX_INDEX:
            raise BitstreamError("a base segment holds an impossible index")
        return found


@dataclass
class PlanePasses:
    """Codes one scale of an enhance plane for N blocks.

    Fields: parents: indices of the plane before [N, C, h, w]; truth: symbols {-1, 0, 1}, ignored by a decoder.
    """

    coder: SymbolCoder
    plane: int
    scale: int
    parents: Tensor
    truth: Tensor | None = None

    def __call__(self, number: int, parameters: Tensor) -> Tensor:
        places = _places(number, *parameters.shape[-2:])
        zero_inside, sign_inside, zero_outside, sign_outside = _chosen(parameters, places)
        side = np.sign(_chosen_truth(self.parents, number, self.scale, places))
        outside = side != 0
        zero = np.where(outside, zero_outside, zero_inside)
        sign = np.where(outside, sign_outside, sign_inside)
        rows = (zero - LEAST_ZERO).clip(0, ZERO_ROWS - 1) * SIGN_ROWS + (sign - LEAST_SIGN).clip(0, SIGN_ROWS - 1)
        rows += outside * np.int32(ZERO_ROWS * SIGN_ROWS)
        symbols = np.zeros(rows.shape, np.int32)
        outward = np.where(outside, side, 1).astype(np.int32)
        if self.truth is not None:
            truth = _chosen_truth(self.truth, number, self.scale, places)
            symbols = np.where(truth == 0, ZERO, np.where(truth == outward, OUTWARD, INWARD)).astype(np.int32)
        table = plane_table(self.plane)
        coded = self.coder.code(table, rows.ravel(), symbols.ravel(), _owners(rows)).reshape(rows.shape)
        found = outward * ((coded == OUTWARD).astype(np.int32) - (coded == INWARD))
        return _placed(found, parameters, places)


@cache
def _places(number: int, height: int, width: int) -> Tensor:
    """Flat positions of a pass in [h, w]: one colour of the checkerboard for luma, all for the opponent colours."""
    colour = (torch.arange(height)[:, None] + torch.arange(width)).flatten() % 2
    return torch.nonzero(colour == number)[:, 0] if number < 2 else torch.arange(height * width)


def _chosen(parameters: Tensor, places: Tensor) -> NDArray[np.int32]:
    """Parameters [N, P, C, h, w] -> integers at the places, [P, N, S]."""
    flat = parameters.flatten(-2)[..., places.to(parameters.device)]
    chosen: NDArray[np.int32] = flat.transpose(0, 1).flatten(2).to(torch.int32).cpu().numpy()
    return chosen


def _chosen_truth(values: Tensor, number: int, scale: int, places: Tensor) -> NDArray[np.int32]:
    """Values of all coefficients [N, C, h, w] -> those of a pass, [N, S]."""
    part = values[:, : LUMA[scale]] if number < 2 else values[:, LUMA[scale] :]
    chosen: NDArray[np.int32] = part.flatten(-2)[..., places.to(values.device)].flatten(1).to(torch.int32).cpu().numpy()
    return chosen


def _placed(values: NDArray[np.int32], parameters: Tensor, places: Tensor) -> Tensor:
    """Values of a pass [N, S] -> [N, C, h, w], zero elsewhere."""
    count, _, channels, height, width = parameters.shape
    placed = torch.zeros(count, channels, height * width, device=parameters.device)
    source = torch.from_numpy(values.astype(np.float32)).reshape(count, channels, -1)
    placed[..., places.to(placed.device)] = source.to(placed.device)
    return placed.unflatten(-1, (height, width)).contiguous(memory_format=torch.channels_last)


def _owners(rows: NDArray[np.int32]) -> NDArray[np.intp]:
    """The block of each symbol, for rows [N, S]."""
    return np.repeat(np.arange(len(rows)), rows.shape[1])
