"""Ways to walk the same model: encode, decode, measure, count, and several of these as one.

A codec writes its traversal of contexts once, against `SymbolCoder`; what happens to each batch of symbols depends on
the coder it is given. That the decoder sees the encoder's contexts is then true by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from progressive.errors import BitstreamError
from progressive.exact.tables import FrequencyTable

Symbols = NDArray[np.int32]

STATE_BITS = 64
"""Of a range coder's interval beyond the words that are settled."""

Indices = NDArray[np.intp] | NDArray[np.int32]


@cache
def _constriction() -> Any:
    """The range coder, loaded on first use: counting, which training does, needs none."""
    import constriction

    return constriction.stream


@cache
def _categorical() -> Any:
    return _constriction().model.Categorical(perfect=False)


class SymbolCoder(Protocol):
    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        """Passes a batch of symbols through the coder.

        Args:
            table: name of the probability table.
            rows: its row for each symbol, [N].
            symbols: the symbols, [N]; a decoder ignores them.
            blocks: the block that each symbol belongs to, [N]; rising; what counts by blocks looks at them.
        Returns:
            the symbols, [N]: those given, or those decoded.
        """
        ...


class RangeSymbolEncoder:
    """Writes symbols with a range coder."""

    def __init__(self, tables: Mapping[str, FrequencyTable]) -> None:
        self._tables = tables
        self._encoder = _constriction().queue.RangeEncoder()

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        if len(rows):
            self._encoder.encode(
                np.ascontiguousarray(symbols, np.int32), _categorical(), self._tables[table].probabilities[rows]
            )
        return symbols

    def to_bytes(self) -> bytes:
        """The code so far, the shortest of all that decode alike: zero bytes are implied after its end."""
        position, (lower, width) = self._encoder.pos()
        whole = int.from_bytes(self._encoder.get_compressed()[:position].astype(">u4").tobytes(), "big") << STATE_BITS
        size = 4 * position + STATE_BITS // 8
        for spare in range(STATE_BITS, -1, -8):
            end: int = (whole + lower + (1 << spare) - 1) >> spare << spare
            if end < whole + lower + width:
                return end.to_bytes(size, "big").rstrip(b"\0")
        raise AssertionError("an interval of a range coder holds its own lower end")

    def with_whole_words(self) -> bytes:
        """The code so far as the range coder itself ends it, without the zero bytes after its end."""
        words: bytes = self._encoder.get_compressed().astype(">u4").tobytes()
        return words.rstrip(b"\0")


class RangeSymbolDecoder:
    """Reads symbols back; raises BitstreamError where no encoder could have written the bytes."""

    def __init__(self, tables: Mapping[str, FrequencyTable], data: bytes) -> None:
        self._tables = tables
        self._data, self._again = data, RangeSymbolEncoder(tables)
        padded = data + bytes(-len(data) % 4)
        self._decoder = _constriction().queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        if not len(rows):
            return np.zeros(0, np.int32)
        try:
            decoded: Symbols = self._decoder.decode(_categorical(), self._tables[table].probabilities[rows])
        except AssertionError as error:
            raise BitstreamError("a segment's range code is damaged") from error
        return self._again.code(table, rows, decoded, blocks)

    def finish(self) -> None:
        """Raises BitstreamError if the symbols have another code than the bytes: they were not the encoder's.

        Codes that end as they used to, a few bytes later, are read as well.
        """
        if self._data not in (self._again.to_bytes(), self._again.with_whole_words()):
            raise BitstreamError("a segment's code is not the one of its symbols")


class JointCoder:
    """Several coders as one: each has the symbols of its own blocks, and counts them from 0.

    Args:
        coders: in the order of their blocks.
        counts: how many blocks each has.
    """

    def __init__(self, coders: Sequence[SymbolCoder], counts: Sequence[int]) -> None:
        self._coders, self._firsts = coders, np.cumsum([0, *counts[:-1]])

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        found = np.zeros(len(rows), np.int32)
        starts = np.searchsorted(blocks, self._firsts).tolist()
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
            own, first = slice(start, end), self._firsts[number]
            found[own] = self._of(number, table, rows[own], symbols[own], blocks[own] - first)
        return found

    def _of(self, number: int, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        return self._coders[number].code(table, rows, symbols, blocks)


class JointDecoder(JointCoder):
    """Several decoders as one. A damaged one does not stop the others; its symbols are zero from then on."""

    def __init__(self, decoders: Sequence[RangeSymbolDecoder], counts: Sequence[int]) -> None:
        super().__init__(decoders, counts)
        self._decoders = decoders
        self._damaged: set[int] = set()

    def _of(self, number: int, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        if number not in self._damaged:
            try:
                return super()._of(number, table, rows, symbols, blocks)
            except BitstreamError:
                self._damaged.add(number)
        return np.zeros(len(rows), np.int32)

    def finish(self) -> list[bool]:
        """Which were whole."""
        for number, decoder in enumerate(self._decoders):
            try:
                decoder.finish()
            except BitstreamError:
                self._damaged.add(number)
        return [number not in self._damaged for number in range(len(self._decoders))]


class CostMeter:
    """Adds up ideal code lengths by block, without writing anything."""

    def __init__(self, tables: Mapping[str, FrequencyTable], blocks: int) -> None:
        self._tables = tables
        self.bits = np.zeros(blocks)

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        self.bits += np.bincount(blocks, self._tables[table].bits[rows, symbols], len(self.bits))
        return symbols


class CountCollector:
    """Counts how often each symbol occurs in each row: training for the tables."""

    def __init__(self, shapes: Mapping[str, tuple[int, int]]) -> None:
        self.counts = {name: np.zeros(shape) for name, shape in shapes.items()}

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        np.add.at(self.counts[table], (rows, symbols), 1.0)
        return symbols
