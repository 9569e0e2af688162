"""What coding a whole tile would write, kept so that segments of any choice of blocks need no network again.

Every block writes the same number of symbols in each pass, so a pass is two arrays, [B, S]: rows and symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from progressive.entropy.coders import Indices, RangeSymbolEncoder, Symbols
from progressive.entropy.tables import FrequencyTable


@dataclass
class Recorder:
    """A symbol coder that remembers. Field: passes: (table, rows, symbols, blocks) of each batch."""

    passes: list[tuple[str, NDArray[np.int16], NDArray[np.int16], Indices]] = field(default_factory=list)

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        self.passes.append((table, rows.astype(np.int16), symbols.astype(np.int16), blocks))
        return symbols

    def bits(self, tables: dict[str, FrequencyTable], count: int) -> NDArray[np.float64]:
        """The ideal code length of each of `count` blocks."""
        total = np.zeros(count)
        for table, rows, symbols, blocks in self.passes:
            total += np.bincount(blocks, tables[table].bits[rows, symbols], count)
        return total

    def encoded(self, tables: dict[str, FrequencyTable]) -> bytes:
        """The range code of everything."""
        encoder = RangeSymbolEncoder(tables)
        for table, rows, symbols, blocks in self.passes:
            encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), blocks)
        return encoder.to_bytes()

    def encoded_blocks(self, tables: dict[str, FrequencyTable], chosen: list[int], count: int) -> bytes:
        """The range code of some of `count` blocks, for passes in which every block has as many symbols."""
        encoder = RangeSymbolEncoder(tables)
        for table, rows, symbols, _ in self.passes:
            some_rows, some_symbols = (a.reshape(count, -1)[chosen].ravel() for a in (rows, symbols))
            encoder.code(table, some_rows.astype(np.intp), some_symbols.astype(np.int32), some_rows)
        return encoder.to_bytes()
