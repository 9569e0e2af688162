"""Symbols of one latent through a coder: the same for encoding, decoding, measuring and counting.

Legend: N tiles or blocks; C coefficients, h x w positions of a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.hierarchical_vae.choices import Choices
from progressive.codecs.hierarchical_vae.quantiser import MAX_INDEX
from progressive.codecs.hierarchical_vae.rates import UNITS
from progressive.codecs.hierarchical_vae.tables import (
    ESCAPE,
    POINT_UNITS,
    REACHES,
    SURE,
    Ints,
    Rows,
    Tables,
    bits_table,
    from_index,
    to_index,
)
from progressive.errors import BitstreamError
from progressive.exact.coders import SymbolCoder
from progressive.exact.passes import Place
from progressive.exact.tables import TOTAL

ABSOLUTE = 64
"""`UNITS` of one."""


def rows_of(place: Place, parameters: Tensor, gammas: Tensor) -> Rows:
    """The rows that outputs [N, 2, C, h, w] pick; `gammas` are of the whole scale, [N', h', w']."""
    mean, scale = (t.contiguous().cpu().numpy().astype(np.int32).ravel() for t in parameters.unbind(1))
    if not place.scale:
        at = place.of(gammas[:, None]).expand(-1, parameters.shape[2], -1, -1)
        units = UNITS[at.long().cpu()].contiguous().numpy().astype(np.int32).ravel()
        mean = (mean * ABSOLUTE + units // 2) // units
    return Rows.of(mean, scale)


@dataclass
class Passes:
    """A `PassCoder` that takes the symbols of some blocks through a coder.

    Fields:
        coder: of the segment.
        count: of the tiles or blocks that are coded; any after them only fill up.
        tables: the model's.
        gammas: of all scales, [N, h, w].
        index, points: what is found, of all scales [N, C, h, w], int16 and int8; filled pass by pass.
        choices: what an encoder wants; a decoder has none.
    """

    coder: SymbolCoder
    count: int
    tables: Tables
    gammas: Sequence[Tensor]
    index: Sequence[Tensor]
    points: Sequence[Tensor]
    choices: Choices | None = None

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        own = parameters[: self.count * place.items]
        rows = rows_of(place, own, self.gammas[place.scale][: self.count])
        wanted = None if self.choices is None else self.choices.at(place)
        owners = np.repeat(np.arange(self.count), own[:, 0].numel() // self.count)
        index, points = rows.centre.copy(), np.zeros(len(rows.row), np.int8)
        for name in REACHES:
            chosen, numbers = rows.named(name)
            if len(chosen):
                index[chosen], points[chosen] = self._code(name, numbers, rows, chosen, owners, wanted)
        found = _placed(index.astype(np.int16), parameters)
        place.write_coefficients(found, self.index[place.scale])
        place.write_coefficients(_placed(points, parameters), self.points[place.scale])
        return found

    def _code(
        self,
        name: str,
        numbers: Ints,
        rows: Rows,
        chosen: NDArray[np.intp],
        owners: NDArray[np.intp],
        wanted: NDArray[np.float32] | None,
    ) -> tuple[Ints, NDArray[np.int8]]:
        """Indices of the chosen coefficients, and where in their bins they are expected."""
        reach, table = REACHES[name], self.tables.frequencies[name]
        centre, shift = rows.centre[chosen], rows.shift[chosen]
        written = np.flatnonzero((TOTAL - table.frequencies[:, reach])[numbers] > SURE)
        symbols, index = np.full_like(centre, reach), centre.copy()
        if len(written):
            picked, at = numbers[written], chosen[written]
            true = np.zeros_like(picked)
            last = true
            if self.choices is not None and wanted is not None:
                true = self.choices.choose(name, picked, centre[written], shift[written], wanted[at], self.tables)
                symbols[written], last = from_index(true, centre[written], shift[written], reach)
            coded = self.coder.code(name, picked, symbols[written], owners[at]).astype(np.int32)
            last = self._last_bits(coded, last, shift[written], owners[at], reach)
            found = to_index(coded, last, centre[written], shift[written], reach)
            escaped = np.flatnonzero(coded == 2 * reach + 1)
            if len(escaped):
                raw = (true[escaped] + MAX_INDEX).astype(np.int32)
                raw = self.coder.code(ESCAPE, np.zeros_like(raw), raw, owners[at][escaped])
                found[escaped] = raw - MAX_INDEX
            if np.abs(found).max(initial=0) > MAX_INDEX:
                raise BitstreamError("a segment holds an impossible index")
            symbols[written], index[written] = coded, found
        points = self.tables.points[name][numbers, symbols]
        return index, np.where(shift > 0, np.int8(0), points)

    def _last_bits(self, coded: Ints, last: Ints, shift: Ints, owners: NDArray[np.intp], reach: int) -> Ints:
        """The bits that are coded as they are, of symbols that are no escapes."""
        found = np.zeros_like(coded)
        for count in np.unique(shift[shift > 0]).tolist():
            here = np.flatnonzero((shift == count) & (coded != 2 * reach + 1))
            if len(here):
                given = last[here].astype(np.int32)
                found[here] = self.coder.code(bits_table(count), np.zeros_like(given), given, owners[here])
        return found


@dataclass
class Filling:
    """A `PassCoder` that knows nothing: every coefficient is what the prior expects, rounded for the next passes.

    Fields: as of `Passes`.
    """

    tables: Tables
    gammas: Sequence[Tensor]
    index: Sequence[Tensor]
    points: Sequence[Tensor]

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        rows = rows_of(place, parameters, self.gammas[place.scale])
        points = np.zeros(len(rows.row), np.int8)
        for name in REACHES:
            chosen, numbers = rows.named(name)
            away = np.where(rows.shift[chosen] > 0, 0, self.tables.expected[name][numbers] * POINT_UNITS)
            points[chosen] = np.rint(away).clip(-POINT_UNITS, POINT_UNITS).astype(np.int8)
        found = _placed(rows.centre.astype(np.int16), parameters)
        place.write_coefficients(found, self.index[place.scale])
        place.write_coefficients(_placed(points, parameters), self.points[place.scale])
        return found


def values_of(index: Tensor, points: Tensor) -> Tensor:
    """Expected coefficients in bins."""
    return index.float() + points.float() / POINT_UNITS


def _placed(values: NDArray[np.int16] | NDArray[np.int8], parameters: Tensor) -> Tensor:
    """Values of the first items, zero for those that fill up, [N, C, h, w]."""
    _, _, *shape = parameters.shape
    found = torch.from_numpy(values).reshape(-1, *shape)
    spare = len(parameters) - len(found)
    return F.pad(found, (0, 0, 0, 0, 0, 0, 0, spare)).to(parameters.device)
