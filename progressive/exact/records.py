"""What coding a whole tile would write, kept so that segments of any choice of blocks need no network again.

A pass is three arrays: the table rows, the symbols, and the block that each belongs to, in rising order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from progressive.exact.coders import Indices, RangeSymbolEncoder, Symbols
from progressive.exact.tables import FrequencyTable

Pass = tuple[str, NDArray[np.int16], NDArray[np.int16], Indices]
"""Table, rows, symbols, blocks."""


@dataclass
class Recorder:
    """A symbol coder that remembers. Field: passes: one for each batch."""

    passes: list[Pass] = field(default_factory=list)
    _runs_so_far: tuple[int, list[_Run]] | None = field(default=None, init=False, repr=False, compare=False)

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        self.passes.append((table, rows.astype(np.int16), symbols.astype(np.int16), blocks))
        return symbols

    def bits(self, tables: Mapping[str, FrequencyTable], count: int) -> NDArray[np.float64]:
        """The ideal code length of each of `count` blocks."""
        total = np.zeros(count)
        for table, rows, symbols, blocks in self.passes:
            total += np.bincount(blocks, tables[table].bits[rows, symbols], count)
        return total

    def encoded_blocks(self, tables: Mapping[str, FrequencyTable], chosen: list[int]) -> bytes:
        """The range code of some blocks, whose numbers rise."""
        encoder = RangeSymbolEncoder(tables)
        for run in self._runs():
            inside = run.of(chosen)
            encoder.code(run.table, run.rows[inside].astype(np.intp), run.symbols[inside].astype(np.int32), inside)
        return encoder.to_bytes()

    def _runs(self) -> list[_Run]:
        if self._runs_so_far is None or self._runs_so_far[0] != len(self.passes):
            runs = [_Run.of_passes(list(passes)) for _, passes in groupby(self.passes, key=itemgetter(0))]
            self._runs_so_far = len(self.passes), runs
        return self._runs_so_far[1]


@dataclass(frozen=True)
class _Run:
    """Passes one after the other that have the same table.

    Fields:
        rows, symbols: of all passes, [S].
        ends: where the symbols of each block end in each pass, behind where the pass begins, [P, B + 1].
    """

    table: str
    rows: NDArray[np.int16]
    symbols: NDArray[np.int16]
    ends: NDArray[np.intp]

    @classmethod
    def of_passes(cls, passes: Sequence[Pass]) -> _Run:
        rows, symbols = (np.concatenate([each[i] for each in passes]) for i in (1, 2))
        firsts = np.cumsum([0] + [len(each[3]) for each in passes[:-1]])
        numbers = np.arange(1 + max(int(each[3][-1]) + 1 if len(each[3]) else 0 for each in passes))
        ends = np.stack([first + np.searchsorted(each[3], numbers) for first, each in zip(firsts, passes, strict=True)])
        return cls(passes[0][0], rows, symbols, ends)

    def of(self, chosen: list[int]) -> NDArray[np.intp]:
        """Where the symbols of some blocks are, pass after pass."""
        last = self.ends.shape[1] - 1
        blocks = np.array(chosen, np.intp)
        starts, ends = (self.ends[:, np.minimum(blocks + n, last)].ravel() for n in (0, 1))
        sizes = ends - starts
        found: NDArray[np.intp] = np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        return found


def encoded(records: Sequence[Recorder], tables: Mapping[str, FrequencyTable]) -> bytes:
    """The range code of everything in some records, one after the other."""
    encoder = RangeSymbolEncoder(tables)
    for record in records:
        for table, rows, symbols, blocks in record.passes:
            encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), blocks)
    return encoder.to_bytes()
