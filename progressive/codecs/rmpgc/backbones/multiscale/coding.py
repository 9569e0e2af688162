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

from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.points import PointTables, shares_at
from progressive.codecs.rmpgc.backbones.multiscale.probability import MEAN_STEPS
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import MAX_INDEX, SPLITS, base_index, refine
from progressive.errors import BitstreamError
from progressive.exact.coders import SymbolCoder
from progressive.exact.passes import Place
from progressive.exact.tables import TOTAL, FrequencyTable

Ints = NDArray[np.int32]

COARSE_BASE_TABLE, FINE_BASE_TABLE, ESCAPE_TABLE = "base_coarse", "base_fine", "escape"

REACHES = {COARSE_BASE_TABLE: 20, FINE_BASE_TABLE: 2}
"""Base symbols are distances from the predicted mean, up to this; one more symbol says that the index itself follows.

The many positions of the finer scales are nearly always zero; every symbol that a table has costs them something.
"""

FINE_BASE_SCALES = (4, 5, 6)

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

SURE = TOTAL // 2048
"""Where all symbols of the base but the middle one are rarer than this together, none is written: it would never be
worth its bits."""

NEVER = 255
"""The tier of a plane's symbols that are not written, but are zero, as they are hardly ever another."""


def table_of(plane: int, tier: int) -> str:
    return f"plane{plane}.{tier}"


def look_of(plane: int) -> str:
    """The name of the points of symbols that have not come: two a row, in the parent's bin and in the middle one."""
    return f"look{plane}"


@dataclass
class BasePasses:
    """A `PassCoder` for the base of one scale.

    Fields:
        coder: of the segment.
        scale: which.
        tables, points: the model's.
        choices: what an encoder wants, which a decoder does not have.
        found: points of the scale's coefficients, int8 [N, C, h, w]; filled pass by pass.
    """

    coder: SymbolCoder
    scale: int
    tables: dict[str, FrequencyTable]
    points: PointTables
    index: Tensor
    found: Tensor
    choices: Choices | None = None

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        mean, scale = _numbers(parameters.unbind(1))
        centre = ((mean + MEAN_STEPS // 2) // MEAN_STEPS).clip(-MAX_INDEX, MAX_INDEX)
        fraction = (mean - MEAN_STEPS * centre + MEAN_STEPS // 2).clip(0, MEAN_STEPS - 1)
        rows = (scale - LEAST_SCALE).clip(0, SCALE_ROWS - 1) * MEAN_STEPS + fraction
        table = FINE_BASE_TABLE if self.scale in FINE_BASE_SCALES else COARSE_BASE_TABLE
        reach = REACHES[table]
        middle = self.tables[table].frequencies[:, reach]
        written = np.flatnonzero((TOTAL - middle)[rows] > SURE)
        index = centre.copy()
        symbols = np.full_like(centre, reach)
        if written.size:
            symbols[written], index[written] = self._code(place, table, rows[written], centre[written], written)
        points = self.points[table][rows, symbols]
        place.write_coefficients(_placed(points, parameters), self.found)
        coded = _placed(index.astype(np.int16), parameters)
        place.write_coefficients(coded, self.index)
        return coded

    def _code(self, place: Place, table: str, rows: Ints, centre: Ints, at: NDArray[np.intp]) -> tuple[Ints, Ints]:
        """Symbols and indices."""
        reach = REACHES[table]
        escape = 2 * reach + 1
        symbols, index = np.zeros_like(rows), np.zeros_like(rows)
        owners = np.zeros(len(rows), np.intp)
        if self.choices is not None:
            values = place.coefficients(self.choices.values)
            (index,) = _numbers([base_index(values)])
            index, known = index[at], _floats(values)[at]
            smaller = index - np.sign(index)
            symbols, cheap = (_base_symbols(n, centre, reach) for n in (index, smaller))
            same = (symbols == escape) | (cheap == escape)
            cheap, smaller = np.where(same, symbols, cheap), np.where(same, index, smaller)
            signs = np.ones_like(index)
            take = self.choices.cheaper(table, rows, (symbols, index), (cheap, smaller), signs, known, 0)
            symbols[take], index[take] = cheap[take], smaller[take]
            self.choices.count(table, rows, symbols, index, signs, known, 0)
        coded = self.coder.code(table, rows, symbols, owners).astype(np.int32)
        found: Ints = coded - reach + centre
        escaped = coded == escape
        if escaped.any():
            raw = (index[escaped] + MAX_INDEX).astype(np.int32)
            found[escaped] = self.coder.code(ESCAPE_TABLE, np.zeros_like(raw), raw, owners[escaped]) - MAX_INDEX
        if np.abs(found).max(initial=0) > MAX_INDEX:
            raise BitstreamError("a base segment holds an impossible index")
        return coded, found


@dataclass
class PlanePasses:
    """Codes the passes of one tier of a plane, and looks before the first (`probability.LevelCoder`).

    Fields:
        coder: of the segment.
        count: of the blocks that are coded; any after them only fill up.
        plane, tier: which.
        points: the model's.
        tier_of_row: of the plane's look, uint8 [PLANE_ROWS].
        parents: indices of the plane before, all scales int16 [N, C, s, s], in channels_last order as what follows.
        symbols, tiers, found: what is known of the plane, int8, uint8 and int8 alike; filled pass by pass. `found` are
            the points of all coefficients, in the bins that they have then.
        choices: of each scale, what an encoder wants.
    """

    coder: SymbolCoder
    count: int
    plane: int
    tier: int
    points: PointTables
    tier_of_row: NDArray[np.uint8]
    parents: list[Tensor]
    symbols: list[Tensor]
    tiers: list[Tensor]
    found: list[Tensor]
    choices: list[Choices] | None = None

    @property
    def looks(self) -> bool:
        return self.tier == 0

    def looked(self, scale: int, parameters: Tensor) -> None:
        (parents,) = _numbers([self.parents[scale]])
        side = np.sign(parents)
        zero, sign = _numbers(parameters.unbind(1))
        rows = self._rows(zero, sign, side)
        tiers = self.tier_of_row[rows]
        points = self.points[look_of(self.plane)][rows, (tiers == NEVER).astype(np.intp)]
        points = points * np.where(side < 0, -1, 1).astype(np.int8)
        self.tiers[scale].copy_(_placed(tiers, parameters))
        self.found[scale].copy_(_placed(points, parameters))
        if self.choices is not None and self.choices[scale].moments is not None:
            self._count_looks(self.choices[scale], rows, tiers, parents)

    def known(self, scale: int) -> Tensor | None:
        return self.symbols[scale] if self.tier else None

    def coded(self, scale: int) -> Tensor | None:
        tiers = self.tiers[scale]
        if tiers.device.type != "cpu":  # there the whole is as fast
            return None
        coded = (tiers == self.tier).any(1)
        coded[self.count :] = False
        return coded

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        tiers, symbols, found = (of[place.scale] for of in (self.tiers, self.symbols, self.found))
        at = np.flatnonzero(_flat(place.coefficients(tiers)[: self.count * place.items]) == self.tier)
        if at.size:
            order = place.order(tiers.shape)
            block, number = np.divmod(at, len(order))
            numbers = order[number] + block * tiers[0].numel()
            signed, points = self._code(place, parameters, at, block, _taken(self.parents[place.scale], numbers))
            _put(signed, numbers, symbols)
            _put(points, numbers, found)
        return place.coefficients(symbols)

    def _code(
        self, place: Place, parameters: Tensor, at: NDArray[np.intp], block: NDArray[np.intp], parent: Ints
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Symbols and points of coefficients of a pass, whose parents are these."""
        side = np.sign(parent)
        inside = side == 0
        zero, sign = self._odds(parameters, at, inside)
        rows = self._rows(zero, sign, side)
        outward = np.where(inside, np.int32(1), side)
        table = table_of(self.plane, self.tier)
        wanted = np.zeros_like(rows)
        if self.choices is not None:
            wanted = self._wanted(self.choices[place.scale], place, table, rows, parent, outward, at)
        coded = self.coder.code(table, rows, wanted, block)
        signed = outward * ((coded == OUTWARD).astype(np.int32) - (coded == INWARD))
        return signed.astype(np.int8), self.points[table][rows, coded] * outward.astype(np.int8)

    def _odds(self, parameters: Tensor, at: NDArray[np.intp], inside: NDArray[np.bool_]) -> list[Ints]:
        """The two log-odds of coefficients of a pass, by whether their parents are zero."""
        _, kinds, bands, *_ = parameters.shape
        first = at + at // bands * ((kinds - 1) * bands) + np.where(inside, 0, 2 * bands)
        lined = parameters.permute(0, 3, 4, 1, 2).reshape(-1).cpu().numpy()
        return [lined[n].astype(np.int32) for n in (first, first + bands)]

    def _rows(self, zero: Ints, sign: Ints, side: Ints) -> Ints:
        """Table rows for two log-odds and the signs of the parents; sign and outward mean nothing where it is sure."""
        sure = (side != 0) & (SPLITS[self.plane - 1] == 2)
        sign = np.where(sure, 0, sign)
        rows = (zero - LEAST_ZERO).clip(0, ZERO_ROWS - 1) * SIGN_ROWS + (sign - LEAST_SIGN).clip(0, SIGN_ROWS - 1)
        return np.asarray(rows + (side != 0) * np.int32(PARENT_ROWS), np.int32)

    def _wanted(
        self, choices: Choices, place: Place, table: str, rows: Ints, parent: Ints, outward: Ints, at: NDArray[np.intp]
    ) -> Ints:
        """The symbols that the encoder writes."""
        values = _floats(place.coefficients(choices.values))[at]
        true = refine(torch.from_numpy(values), torch.from_numpy(parent), self.plane).numpy().astype(np.int32)
        symbols = np.where(true == 0, ZERO, np.where(true == outward, OUTWARD, INWARD)).astype(np.int32)
        middle = SPLITS[self.plane - 1] * parent
        index = middle + true
        take = choices.cheaper(
            table, rows, (symbols, index), (np.zeros_like(symbols), middle), outward, values, self.plane
        )
        symbols[take], index[take] = ZERO, middle[take]
        choices.count(table, rows, symbols, index, outward, values, self.plane)
        return symbols

    def _count_looks(self, choices: Choices, rows: Ints, tiers: NDArray[np.uint8], parents: Ints) -> None:
        """Notes where the coefficients of symbols that do not come at once lie in the bins of their parents."""
        assert choices.moments is not None
        values = _floats(choices.values)
        parents, rows, tiers = parents[: len(values)], rows[: len(values)], tiers[: len(values)]
        outward = np.where(parents < 0, -1, 1)
        for kind, plane, index in ((0, self.plane - 1, parents), (1, self.plane, SPLITS[self.plane - 1] * parents)):
            at = np.flatnonzero((tiers == NEVER) if kind else (tiers != 0) & (tiers != NEVER))
            shares = shares_at(values[at], index[at], plane) * outward[at]
            kinds = np.full(len(at), kind, np.int32)
            choices.moments.add(look_of(self.plane), (PLANE_ROWS, 2), rows[at], kinds, shares)


def _base_symbols(index: Ints, centre: Ints, reach: int) -> Ints:
    """Distances from the mean as table symbols; the last one is the escape."""
    symbols = index - centre + reach
    symbols[(symbols < 0) | (symbols > 2 * reach)] = 2 * reach + 1
    return symbols


def _flat(values: Tensor) -> NDArray[np.generic]:
    """All values [..., C, h, w] as they follow each other: item after item, then by positions, then by coefficients."""
    flat: NDArray[np.generic] = values.movedim(-3, -1).reshape(-1).cpu().numpy()
    return flat


def _numbers(tensors: tuple[Tensor, ...] | list[Tensor], at: NDArray[np.intp] | None = None) -> list[Ints]:
    found = (_flat(t) for t in tensors)
    return [(f if at is None else f[at]).astype(np.int32) for f in found]


def _floats(values: Tensor) -> NDArray[np.float32]:
    return _flat(values).astype(np.float32, copy=False)


def _placed(values: NDArray[np.generic], parameters: Tensor) -> Tensor:
    """Values that follow each other -> [N, C, h, w], for parameters [N, P, C, h, w]."""
    count, _, channels, height, width = parameters.shape
    placed = torch.from_numpy(values).to(parameters.device)
    return placed.reshape(count, height, width, channels).movedim(-1, 1)


def _taken(values: Tensor, numbers: NDArray[np.intp]) -> Ints:
    """Of values [N, C, h, w] in channels_last order, as they follow each other, some."""
    lined = values.movedim(1, -1).view(-1)
    if lined.device.type == "cpu":
        return lined.numpy()[numbers].astype(np.int32)
    return lined[torch.from_numpy(numbers).to(lined.device)].cpu().numpy().astype(np.int32)


def _put(values: NDArray[np.int8], numbers: NDArray[np.intp], into: Tensor) -> None:
    """Puts values at these numbers of others, counted as in `_taken`."""
    lined = into.movedim(1, -1).view(-1)
    if lined.device.type == "cpu":
        lined.numpy()[numbers] = values
    else:
        lined[torch.from_numpy(numbers).to(lined.device)] = torch.from_numpy(values).to(lined.device)
