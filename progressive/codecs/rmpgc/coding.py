"""From the networks' outputs to rows of probability tables, and symbols through a coder.

These functions work alike for encoding, decoding and counting: what happens to the symbols is the `SymbolCoder`'s
business.

Legend: N tiles or blocks; C coefficients a position; h x w positions; S symbols of a pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.choices import Choices
from progressive.codecs.rmpgc.layout import LUMA
from progressive.codecs.rmpgc.model import COARSE_BASE_TABLE, ESCAPE_TABLE, FINE_BASE_TABLE, plane_table
from progressive.codecs.rmpgc.probability import MEAN_STEPS
from progressive.codecs.rmpgc.quantiser import MAX_INDEX
from progressive.entropy.coders import Indices, SymbolCoder
from progressive.errors import BitstreamError

Ints = NDArray[np.int32]

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

PARENT_ROWS = ZERO_ROWS * SIGN_ROWS
PLANE_ROWS = 2 * PARENT_ROWS
"""The first half of a plane's rows is for parents that are zero, the second for those that are not."""

ZERO, OUTWARD, INWARD = 0, 1, 2
"""Symbols of a plane: the middle third or lower half; the part farther from zero (or positive); the other third."""


@dataclass
class BasePasses:
    """A `PassCoder` for the base of one scale. Field: choices: indices [N, C, h, w], which a decoder does not have."""

    coder: SymbolCoder
    scale: int
    choices: Choices | None = None

    def __call__(self, number: int, parameters: Tensor) -> Tensor:
        mask = _everywhere(parameters) if number == 2 else checkerboard(parameters, number)
        places, owners = _places(mask)
        mean, scale = _at(parameters, places)
        centre = ((mean + MEAN_STEPS // 2) // MEAN_STEPS).clip(-MAX_INDEX, MAX_INDEX)
        fraction = (mean - MEAN_STEPS * centre + MEAN_STEPS // 2).clip(0, MEAN_STEPS - 1)
        rows = (scale - LEAST_SCALE).clip(0, SCALE_ROWS - 1) * MEAN_STEPS + fraction
        table = FINE_BASE_TABLE if self.scale in FINE_BASE_SCALES else COARSE_BASE_TABLE
        reach = REACHES[table]
        escape = 2 * reach + 1
        index = np.zeros(rows.shape, np.int32)
        if self.choices is not None:
            choices = self.choices.part(_channels(number, self.scale))
            index = _values_at(choices.symbols, places)
            smaller = index - np.sign(index)
            plain, cheap = (_base_symbols(n, centre, reach) for n in (index, smaller))
            take = choices.cheaper(table, rows, plain, cheap, places) & (plain != escape) & (cheap != escape)
            index = np.where(take, smaller, index).astype(np.int32)
        coded = self.coder.code(table, rows, _base_symbols(index, centre, reach), owners)
        found: Ints = coded - reach + centre
        escaped = coded == escape
        if escaped.any():
            raw = (index[escaped] + MAX_INDEX).astype(np.int32)
            found[escaped] = self.coder.code(ESCAPE_TABLE, np.zeros_like(raw), raw, owners[escaped]) - MAX_INDEX
        if np.abs(found).max(initial=0) > MAX_INDEX:
            raise BitstreamError("a base segment holds an impossible index")
        return _placed(found, parameters, places)


def code_plane_pass(
    coder: SymbolCoder, table: str, parameters: Tensor, parents: Tensor, mask: Tensor, choices: Choices | None
) -> Tensor:
    """Codes the symbols of a plane wherever a mask says so.

    Args:
        parameters: of the pass, [N, 3 or 4, C, h, w].
        parents: indices of the plane before, [N, C, h, w].
        mask: where to code, bool [N, C, h, w].
        choices: symbols {-1, 0, 1}, [N, C, h, w], which a decoder does not have.
    Returns:
        the symbols, zero outside the mask.
    """
    places, owners = _places(mask)
    side = np.sign(_values_at(parents, places))
    rows = _plane_rows(_at(parameters, places), side)
    outward = np.where(side != 0, side, 1).astype(np.int32)
    symbols = np.zeros(rows.shape, np.int32)
    if choices is not None:
        true = _values_at(choices.symbols, places)
        symbols = np.where(true == 0, ZERO, np.where(true == outward, OUTWARD, INWARD)).astype(np.int32)
        symbols[choices.cheaper(table, rows, symbols, np.full_like(symbols, ZERO), places)] = ZERO
    coded = coder.code(table, rows, symbols, owners)
    return _placed(outward * ((coded == OUTWARD).astype(np.int32) - (coded == INWARD)), parameters, places)


def rows_everywhere(parameters: Tensor, parents: Tensor) -> Tensor:
    """The table rows of all coefficients of a pass, int64 [N, C, h, w]."""
    everywhere = torch.arange(parents.numel(), device=parents.device)
    rows = _plane_rows(_at(parameters, everywhere), np.sign(_values_at(parents, everywhere)))
    return torch.from_numpy(rows.astype(np.int64)).reshape(parents.shape).to(parents.device)


def checkerboard(parameters: Tensor, colour: int) -> Tensor:
    """One colour of a checkerboard over [h, w], bool [N, C, h, w] for parameters [N, P, C, h, w]."""
    count, _, channels, height, width = parameters.shape
    rows, columns = (torch.arange(n, device=parameters.device) for n in (height, width))
    return ((rows[:, None] + columns) % 2 == colour).expand(count, channels, height, width)


def table_of(plane: int, tier: int) -> str:
    return f"{plane_table(plane)}.{tier}"


def _plane_rows(parameters: Ints, side: Ints) -> Ints:
    """Rows for parameters [3 or 4, S] and the signs of the parents [S]."""
    outside = side != 0
    zero = np.where(outside, parameters[2], parameters[0])
    sign = np.where(outside, parameters[3] if len(parameters) == 4 else 0, parameters[1])
    rows = (zero - LEAST_ZERO).clip(0, ZERO_ROWS - 1) * SIGN_ROWS + (sign - LEAST_SIGN).clip(0, SIGN_ROWS - 1)
    return np.asarray(rows + outside * np.int32(PARENT_ROWS), np.int32)


def _base_symbols(index: Ints, centre: Ints, reach: int) -> Ints:
    """Distances from the mean as table symbols; the last one is the escape."""
    symbols = index - centre + reach
    symbols[(symbols < 0) | (symbols > 2 * reach)] = 2 * reach + 1
    return symbols


def _everywhere(parameters: Tensor) -> Tensor:
    count, _, *shape = parameters.shape
    return torch.ones(count, *shape, dtype=torch.bool, device=parameters.device)


def _channels(number: int, scale: int) -> slice:
    return slice(LUMA[scale]) if number < 2 else slice(LUMA[scale], None)


def _places(mask: Tensor) -> tuple[Tensor, Indices]:
    """Flat positions in [N, C, h, w] where the mask is set, block after block, and the block of each."""
    places = torch.nonzero(mask.reshape(-1))[:, 0]
    owners: Indices = (places // mask[0].numel()).cpu().numpy()
    return places, owners


def _at(parameters: Tensor, places: Tensor) -> Ints:
    """Parameters [N, P, C, h, w] as integers at flat positions of [N, C, h, w]: [P, S]."""
    flat = parameters.transpose(0, 1).reshape(parameters.shape[1], -1)
    chosen: Ints = flat[:, places].to(torch.int32).cpu().numpy()
    return chosen


def _values_at(values: Tensor, places: Tensor) -> Ints:
    """Values [N, C, h, w] as integers at flat positions, [S]."""
    chosen: Ints = values.reshape(-1)[places].to(torch.int32).cpu().numpy()
    return chosen


def _placed(values: Ints, parameters: Tensor, places: Tensor) -> Tensor:
    """Values [S] at flat positions -> [N, C, h, w], zero elsewhere."""
    count, _, channels, height, width = parameters.shape
    placed = torch.zeros(count * channels * height * width, device=parameters.device)
    placed[places] = torch.from_numpy(values.astype(np.float32)).to(placed.device)
    return placed.reshape(count, channels, height, width).contiguous(memory_format=torch.channels_last)
