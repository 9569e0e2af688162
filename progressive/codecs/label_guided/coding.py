"""Symbols of one segment through a coder: the same for encoding, decoding, measuring and counting.

Legend: N tiles or blocks; C coefficients, h x w cells of a pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.groups import ROOT
from progressive.codecs.label_guided.prior import FINE, HYPER_CHANNELS, HYPER_REACH, UNITS, VALUE
from progressive.codecs.label_guided.tables import HYPER, LATENT, POINT_UNITS, SURE, Tables
from progressive.errors import BitstreamError
from progressive.exact.coders import SymbolCoder
from progressive.exact.laplace import ESCAPE, MAX_INDEX, REACH, STEPS, SYMBOLS, Ints, Rows, from_index
from progressive.exact.passes import Place
from progressive.exact.tables import TOTAL


def rows_of(place: Place, parameters: Tensor, level: int) -> Rows:
    """The rows that outputs [N, 2, C, h, w] pick."""
    mean, scale = (t.contiguous().cpu().numpy().astype(np.int32).ravel() for t in parameters.unbind(1))
    if place.scale == ROOT:
        units = int(UNITS[level])
        mean = (mean * (VALUE * STEPS // FINE) + units // 2) // units
        scale = scale // (FINE // STEPS)
    return Rows.of(mean, scale)


def code_hyper(coder: SymbolCoder, rows: int, columns: int, choices: Choices | None) -> Tensor:
    """Passes the hyperprior of so many blocks through a coder: int32 [1, 8, rows, columns]."""
    channels = np.arange(HYPER_CHANNELS, dtype=np.int32).repeat(rows * columns)
    wanted = np.zeros(len(channels), np.int32)
    if choices is not None and choices.hyper is not None:
        wanted = choices.hyper.ravel() + HYPER_REACH
    found = coder.code(HYPER, channels, wanted.astype(np.int32), np.zeros(len(channels), np.int32))
    return torch.from_numpy(found.astype(np.int32) - HYPER_REACH).reshape(1, HYPER_CHANNELS, rows, columns)


@dataclass
class Passes:
    """A `PassCoder` that takes the symbols of some blocks, or of a tile, through a coder.

    Fields:
        coder: of the segment.
        count: of the items that are coded; any after them only fill up.
        tables: the model's.
        level: of the photo.
        index, points: what is found, int16 and int8 [N, CHANNELS, h, w]; filled pass by pass.
        choices: what an encoder wants; a decoder has none.
    """

    coder: SymbolCoder
    count: int
    tables: Tables
    level: int
    index: Tensor
    points: Tensor
    choices: Choices | None = None

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        own = parameters[: self.count * place.items]
        rows = rows_of(place, own, self.level)
        wanted = None if self.choices is None else self.choices.at(place)
        owners = np.repeat(np.arange(self.count), own[:, 0].numel() // self.count)
        index, points = self._code(rows, owners, wanted)
        found = _placed(index.astype(np.int16), parameters)
        place.write_coefficients(found, self.index)
        place.write_coefficients(_placed(points, parameters), self.points)
        return found

    def _code(
        self, rows: Rows, owners: NDArray[np.intp], wanted: NDArray[np.float32] | None
    ) -> tuple[Ints, NDArray[np.int8]]:
        """Indices, and where in their bins coefficients are expected."""
        table = self.tables.frequencies[LATENT]
        symbols, index = np.full_like(rows.centre, REACH), rows.centre.copy()
        written = np.flatnonzero((TOTAL - table.frequencies[:, REACH])[rows.row] > SURE)
        if len(written):
            numbers, centre = rows.row[written], rows.centre[written]
            true = np.zeros_like(centre)
            if self.choices is not None and wanted is not None:
                true = self.choices.choose(numbers, centre, wanted[written], self.tables)
            coded = self.coder.code(LATENT, numbers, from_index(true, centre), owners[written])
            found = coded - REACH + centre
            escaped = np.flatnonzero(coded == SYMBOLS - 1)
            if len(escaped):
                raw = (true[escaped] + MAX_INDEX).astype(np.int32)
                raw = self.coder.code(ESCAPE, np.zeros_like(raw), raw, owners[written][escaped])
                found[escaped] = raw - MAX_INDEX
            if np.abs(found).max(initial=0) > MAX_INDEX:
                raise BitstreamError("a segment holds an impossible index")
            symbols[written], index[written] = coded, found
        return index, self.tables.points[rows.row, symbols]


def values_of(index: Tensor, points: Tensor) -> Tensor:
    """Expected coefficients in steps."""
    return index.float() + points.float() / POINT_UNITS


def _placed(values: NDArray[np.int16] | NDArray[np.int8], parameters: Tensor) -> Tensor:
    """Values of the first items, zero for those that fill up, [N, C, h, w]."""
    _, _, *shape = parameters.shape
    found = torch.from_numpy(values).reshape(-1, *shape)
    spare = len(parameters) - len(found)
    return F.pad(found, (0, 0, 0, 0, 0, 0, 0, spare)).to(parameters.device)
