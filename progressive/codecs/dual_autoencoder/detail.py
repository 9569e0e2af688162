"""The enhance planes: which blocks are detailed, by which expert, and their outputs, ever finer.

A plane of a region codes, for each component: the next bits of G1; for each calm block, whether it turns detailed (the
error that G1 leaves shows in some output of G2 at this step), and then its expert; for each detailed block, its
outputs. Blocks go in two batches like the colours of a chessboard, so that the second sees its four neighbours. Context
never leaves the regions of the segment: they are all that is sure to be there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder.layout import BASE_STEP, OUTPUTS, PLANES, step_after
from progressive.codecs.dual_autoencoder.state import Bools, Component, Ints, Target
from progressive.exact.coders import SymbolCoder

FIRST_MAGNITUDES = 15
_OWN, _AROUND, _RANGE, _BEND = 6, 6, 5, 6

Indices = NDArray[np.intp]


def table_shapes(kind: str, experts: int) -> dict[str, tuple[int, int]]:
    """Names and shapes, (rows, symbols), of the probability tables of the planes."""
    shapes: dict[str, tuple[int, int]] = {}
    for plane in range(PLANES):
        shapes[f"{kind}.{plane}.turns"] = (5 * _RANGE * _BEND, 2)
        shapes[f"{kind}.{plane}.expert"] = (experts + 1, experts)
        contexts = experts * OUTPUTS * _OWN * _AROUND
        shapes[f"{kind}.{plane}.output"] = (contexts, 2 * FIRST_MAGNITUDES + 1) if plane == 0 else (contexts * 2, 3)
        shapes[f"{kind}.{plane}.finer"] = (OUTPUTS * 3, 2)
        shapes[f"{kind}.{plane}.calm"] = (8, 2)
    return shapes


def code_plane(
    coder: SymbolCoder, kind: str, experts: int, plane: int, blocks: Bools, state: Component, target: Target | None
) -> None:
    """Codes one plane of a component of a tile and updates the state in place.

    Args:
        blocks: which blocks, [h, w]; all of them have reached exactly this plane (`state.level == plane`).
        target: what an encoder writes; None when decoding.
    """
    _PlaneCoder(coder, kind, experts, plane, blocks, state, target).run()


@dataclass
class _PlaneCoder:
    coder: SymbolCoder
    kind: str
    experts: int
    plane: int
    blocks: Bools
    state: Component
    target: Target | None

    def run(self) -> None:
        state, blocks = self.state, self.blocks
        self._scale_to_plane()
        self._true_detail = self._truth(None if self.target is None else self.target.detail_bins(self.plane))
        parity = np.indices(blocks.shape).sum(0) % 2
        for colour in (0, 1):
            rows, columns = np.nonzero(blocks & (parity == colour))
            if len(rows):
                self._code_calm(rows, columns)
                self._code_turns(rows, columns)
                self._code_outputs(rows, columns)
        state.level[blocks] = self.plane + 1

    def _scale_to_plane(self) -> None:
        """Moves the blocks' bins to this plane's step: the finer bin nearest to zero, until its symbol is known."""
        state, blocks = self.state, self.blocks
        self._was = np.zeros_like(state.detail)
        if self.plane:
            self._was[blocks] = state.detail[blocks]
            state.detail[blocks] *= 2
        self._turned_now = np.zeros_like(blocks)
        self._middle = np.where(
            blocks, self._centre(state.calm, step_after(self.plane)), self._centre(state.base, BASE_STEP)
        )

    @staticmethod
    def _centre(bins: Ints, step: int) -> Ints:
        centre: Ints = bins * step + step // 2
        return centre

    def _truth(self, bins: Ints | None) -> Ints:
        return np.zeros_like(self.state.detail) if bins is None else bins

    def _code_calm(self, rows: Indices, columns: Indices) -> None:
        before, after = step_after(self.plane), step_after(self.plane + 1)
        if before == after:
            return
        state = self.state
        total, count = _sum_of_neighbours(self._middle, np.ones_like(self.blocks), rows, columns)
        low = state.calm[rows, columns] * before
        context = np.clip((8 * (total // np.maximum(count, 1) - low)) // before // 2 + 2, 0, 7).astype(np.intp)
        truth = 2 * state.calm if self.target is None else self.target.calm_bins(self.plane)
        ahead: Ints = truth - 2 * state.calm
        bit = self._code("calm", context, ahead[rows, columns], rows, columns)
        state.calm[rows, columns] = 2 * state.calm[rows, columns] + bit
        self._middle[rows, columns] = self._centre(state.calm[rows, columns], after)

    def _code_turns(self, rows: Indices, columns: Indices) -> None:
        state = self.state
        calm = state.expert[rows, columns] < 0
        rows, columns = rows[calm], columns[calm]
        detailed = (state.expert >= 0) & self.blocks
        active, _ = _sum_of_neighbours(detailed.astype(np.int32), self.blocks, rows, columns)
        spread, bend = _relief(state.base, rows, columns)
        context = (active * _RANGE + spread) * _BEND + bend
        shows = np.asarray(self._true_detail[rows, columns].any(-1), np.int32)
        turns = self._code("turns", context, shows, rows, columns)
        rows, columns = rows[turns == 1], columns[turns == 1]
        hint = np.full(len(rows), -1)
        for dy, dx in ((1, 0), (0, 1), (0, -1), (-1, 0)):
            neighbour = _shifted(np.where(self.blocks, state.expert, -1), dy, dx, -1)[rows, columns]
            hint = np.where(neighbour >= 0, neighbour, hint)
        best = np.zeros(len(rows), np.int32) if self.target is None else self.target.expert[rows, columns]
        state.expert[rows, columns] = self._code("expert", (hint + 1).astype(np.intp), best, rows, columns)
        self._turned_now[rows, columns] = True

    def _code_outputs(self, rows: Indices, columns: Indices) -> None:
        state = self.state
        detailed = state.expert[rows, columns] >= 0
        rows, columns = rows[detailed], columns[detailed]
        if not len(rows):
            return
        magnitudes = np.where(self.blocks, np.abs(state.detail).sum(-1), 0)
        around, _ = _sum_of_neighbours(magnitudes, self.blocks, rows, columns)
        around = np.searchsorted((1, 2, 4, 8, 16), around, side="right")
        expert, turned = state.expert[rows, columns], self._turned_now[rows, columns]
        for output in range(OUTPUTS):
            was = self._was[rows, columns, output]
            bins = state.detail[rows, columns]
            own = np.searchsorted((1, 2, 3, 5, 9), np.abs(bins).sum(-1) - np.abs(bins[:, output]), side="right")
            context = ((expert * OUTPUTS + output) * _OWN + own) * _AROUND + around
            truth = self._true_detail[rows, columns, output]
            new = was == 0
            value = np.zeros(len(rows), np.int32)
            value[new] = self._code_new(context[new], turned[new], truth[new], rows[new], columns[new])
            old = ~new
            sign, magnitude = np.sign(was[old]), np.abs(was[old])
            context = output * 3 + np.minimum(magnitude, 3) - 1
            bit = self._code("finer", context, np.abs(truth[old]) - 2 * magnitude, rows[old], columns[old])
            value[old] = sign * (2 * magnitude + bit)
            state.detail[rows, columns, output] = value

    def _code_new(self, context: Indices, turned: Bools, truth: Ints, rows: Indices, columns: Indices) -> Ints:
        """Outputs that were in the dead zone so far."""
        largest = 1 if self.plane else FIRST_MAGNITUDES
        if self.plane:
            context = context * 2 + turned
        symbols = np.clip(truth, -largest, largest) + largest
        return self._code("output", context, symbols, rows, columns) - largest

    def _code(self, table: str, context: Indices, symbols: Ints, rows: Indices, columns: Indices) -> Ints:
        name = f"{self.kind}.{self.plane}.{table}"
        return self.coder.code(name, context, symbols, rows * self.blocks.shape[1] + columns)


def _shifted(values: Ints, dy: int, dx: int, fill: int) -> Ints:
    """The value of the block at (row + dy, column + dx), for every block."""
    height, width = values.shape
    padded = np.pad(values, 1, constant_values=fill)
    return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]


def _sum_of_neighbours(values: Ints, mask: Bools, rows: Indices, columns: Indices) -> tuple[Indices, Indices]:
    """Sum over the four axial neighbours that the mask admits, and their number, [N]."""
    padded, admitted = np.pad(np.where(mask, values, 0), 1), np.pad(mask, 1)
    total, count = np.zeros(len(rows), np.intp), np.zeros(len(rows), np.intp)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        total += padded[rows + dy, columns + dx]
        count += admitted[rows + dy, columns + dx]
    return total, count


def _relief(base: Ints, rows: Indices, columns: Indices) -> tuple[Indices, Indices]:
    """How rough the base is around a block: the range of the 3x3 neighbourhood and its second difference, as levels."""
    padded = np.pad(base, 1, mode="edge")
    around = np.stack([padded[rows + i, columns + j] for i in range(3) for j in range(3)])
    spread = around.max(0) - around.min(0)
    bend = np.abs(4 * around[4] - around[1] - around[3] - around[5] - around[7])
    return (
        np.searchsorted((1, 2, 3, 5), spread, side="right"),
        np.searchsorted((1, 2, 3, 5, 8), bend, side="right"),
    )
