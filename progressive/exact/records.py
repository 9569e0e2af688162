"""What coding a whole tile would write, kept so that segments of any choice of blocks need no network again.

A pass is three arrays: the table rows, the symbols, and the block that each belongs to, in rising order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from progressive.exact.coders import Indices, RangeSymbolEncoder, Symbols
from progressive.exact.tables import FrequencyTable


@dataclass
class Recorder:
    """A symbol coder that remembers. Field: passes: (table, rows, symbols, blocks) of each batch."""

    passes: list[tuple[str, NDArray[np.int16], NDArray[np.int16], Indices]] = field(default_factory=list)

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
        for table, rows, symbols, blocks in self.passes:
            inside = _spans(blocks, chosen)
            encoder.code(table, rows[inside].astype(np.intp), symbols[inside].astype(np.int32), inside)
        return encoder.to_bytes()


def joined(records: Sequence[Recorder], sizes: Sequence[int]) -> Recorder:
    """One record of several that have the same passes over other blocks, so many each; the blocks follow each other."""
    passes = []
    firsts = np.cumsum([0, *sizes[:-1]])
    for each in zip(*(record.passes for record in records), strict=True):
        rows, symbols = (np.concatenate([part[i] for part in each]) for i in (1, 2))
        blocks = np.concatenate([part[3] + first for part, first in zip(each, firsts, strict=True)])
        passes.append((each[0][0], rows, symbols, blocks))
    return Recorder(passes)


def encoded(records: Sequence[Recorder], tables: Mapping[str, FrequencyTable]) -> bytes:
    """The range code of everything in some records, one after the other."""
    encoder = RangeSymbolEncoder(tables)
    for record in records:
        for table, rows, symbols, blocks in record.passes:
            encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), blocks)
    return encoder.to_bytes()


def _spans(blocks: Indices, chosen: list[int]) -> Indices:
    """Where the chosen blocks' symbols are."""
    starts, ends = np.searchsorted(blocks, chosen), np.searchsorted(blocks, chosen, side="right")
    return np.concatenate([np.arange(s, e) for s, e in zip(starts, ends, strict=True)] or [np.zeros(0, np.intp)])
