from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from progressive.errors import BitstreamError
from progressive.exact.coders import (
    CostMeter,
    CountCollector,
    JointCoder,
    JointDecoder,
    RangeSymbolDecoder,
    RangeSymbolEncoder,
)
from progressive.exact.records import Recorder
from progressive.exact.tables import PRECISION_BITS, TOTAL, FrequencyTable, frequencies_from_counts

NO_BLOCKS = np.zeros(0, np.intp)

Batch = tuple[str, np.ndarray, np.ndarray]
"""A table, rows and symbols."""


def make_tables(seed: int) -> dict[str, FrequencyTable]:
    rng = np.random.default_rng(seed)
    return {
        name: FrequencyTable(frequencies_from_counts(rng.gamma(0.3, size=shape)))
        for name, shape in (("two", (5, 2)), ("many", (3, 40)))
    }


def drawn(seed: int, counts: list[int], tables: dict[str, FrequencyTable]) -> list[Batch]:
    """Batches of symbols, each as likely as its table says."""
    rng, batches = np.random.default_rng(seed), []
    for index, count in enumerate(counts):
        name = ("two", "many")[index % 2]
        rows = rng.integers(len(tables[name].frequencies), size=count)
        below = np.cumsum(tables[name].probabilities, 1)[rows]
        symbols = (rng.random((count, 1)) > below).sum(1).astype(np.int32)
        batches.append((name, rows, symbols))
    return batches


def coded(tables: dict[str, FrequencyTable], batches: list[Batch]) -> tuple[bytes, float]:
    """The code, and its ideal length in bits."""
    encoder, meter = RangeSymbolEncoder(tables), CostMeter(tables, blocks=1)
    for name, rows, symbols in batches:
        for coder in (encoder, meter):
            coder.code(name, rows, symbols, np.zeros(len(rows), np.intp))
    return encoder.to_bytes(), float(meter.bits.sum())


def with_whole_words(tables: dict[str, FrequencyTable], batches: list[Batch]) -> bytes:
    """The code as it used to end."""
    encoder = RangeSymbolEncoder(tables)
    for name, rows, symbols in batches:
        encoder.code(name, rows, symbols, NO_BLOCKS)
    return encoder.with_whole_words()


def decode(tables: dict[str, FrequencyTable], data: bytes, batches: list[Batch]) -> list[np.ndarray]:
    """Raises BitstreamError unless the bytes are the code of the symbols that come out."""
    decoder = RangeSymbolDecoder(tables, data)
    found = [decoder.code(name, rows, np.zeros_like(symbols), NO_BLOCKS) for name, rows, symbols in batches]
    decoder.finish()
    return found


@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 60), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_symbols_come_back_and_cost_what_the_meter_says(seed: int, counts: list[int]) -> None:
    tables = make_tables(seed)
    batches = drawn(seed, counts, tables)
    data, bits = coded(tables, batches)
    assert len(data) * 8 <= bits + 16
    for found, (_, _, symbols) in zip(decode(tables, data, batches), batches, strict=True):
        assert np.array_equal(found, symbols)


def test_a_code_is_a_byte_longer_than_the_ideal_at_most_in_the_mean() -> None:
    tables = make_tables(0)
    more = []
    for seed in range(300):
        data, bits = coded(tables, drawn(seed, [seed % 40, 1 + seed % 7], tables))
        more.append(8 * len(data) - bits)
    assert 0 < np.mean(more) <= 8
    assert max(more) <= 16


def test_no_shorter_code_decodes_to_the_same() -> None:
    tables = make_tables(1)
    for seed in range(40):
        batches = drawn(seed, [5, 5], tables)
        data, _ = coded(tables, batches)
        for cut in (data[:-1], data[:-2]):
            decoder = RangeSymbolDecoder(tables, cut)
            try:
                found = [decoder.code(name, rows, symbols, NO_BLOCKS) for name, rows, symbols in batches]
            except BitstreamError:
                continue
            assert not data or any(
                not np.array_equal(a, symbols) for a, (_, _, symbols) in zip(found, batches, strict=True)
            )


def test_nothing_has_no_code() -> None:
    tables = make_tables(0)
    assert coded(tables, []) == (b"", 0)
    decoder = RangeSymbolDecoder(tables, b"")
    assert decoder.code("two", np.zeros(0, np.intp), np.zeros(0, np.int32), NO_BLOCKS).size == 0
    decoder.finish()


@given(seed=st.integers(0, 999), data=st.data())
@settings(max_examples=80, deadline=None)
def test_any_other_bytes_are_refused_or_are_other_symbols(seed: int, data: st.DataObject) -> None:
    """Bytes have one meaning, and symbols one code, or the one that they used to have."""
    tables = make_tables(seed)
    batches = drawn(seed, [20, 10], tables)
    code, _ = coded(tables, batches)
    kind = data.draw(st.sampled_from(("flip", "cut", "extend")))
    changed = bytearray(code)
    if kind == "extend":
        changed += data.draw(st.binary(min_size=1, max_size=9))
    elif not code:
        return
    elif kind == "flip":
        position = data.draw(st.integers(0, 8 * len(code) - 1))
        changed[position // 8] ^= 1 << position % 8
    else:
        del changed[data.draw(st.integers(0, len(code) - 1)) :]
    try:
        found = decode(tables, bytes(changed), batches)
    except BitstreamError:
        return
    again = [(name, rows, s) for (name, rows, _), s in zip(batches, found, strict=True)]
    assert bytes(changed) in (coded(tables, again)[0], with_whole_words(tables, again))


def test_codes_that_end_as_they_used_to_are_read() -> None:
    tables, longer = make_tables(0), 0
    for seed in range(30):
        batches = drawn(seed, [seed, 3], tables)
        old, new = with_whole_words(tables, batches), coded(tables, batches)[0]
        assert len(new) <= len(old) <= len(new) + 8
        longer += old != new
        for found, (_, _, symbols) in zip(decode(tables, old, batches), batches, strict=True):
            assert np.array_equal(found, symbols)
    assert longer > 20


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", b"\1", b"\0\1", bytes(64)])
def test_bytes_after_the_code_are_damage(more: bytes) -> None:
    tables = make_tables(0)
    batches = drawn(3, [9, 9], tables)
    data, _ = coded(tables, batches)
    with pytest.raises(BitstreamError, match="not the one of its symbols"):
        decode(tables, data + more, batches)


def test_leftover_bytes_are_damage() -> None:
    tables = make_tables(0)
    decoder = RangeSymbolDecoder(tables, bytes(range(1, 60)))
    decoder.code("two", np.zeros(3, np.intp), np.zeros(3, np.int32), np.zeros(3, np.intp))
    with pytest.raises(BitstreamError):
        decoder.finish()


@given(counts=st.lists(st.floats(0, 1e9), min_size=2, max_size=120))
def test_frequencies_are_positive_and_sum_exactly(counts: list[float]) -> None:
    table = FrequencyTable(frequencies_from_counts(np.array([counts])))
    assert table.frequencies.min() >= 1
    assert table.frequencies.sum() == TOTAL
    assert table.bits.max() <= PRECISION_BITS
    assert table.probabilities.sum() == 1.0


def test_a_table_that_does_not_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="must sum"):
        FrequencyTable(np.full((2, 3), 100))


@pytest.mark.parametrize("damaged", [None, 0, 1, 2])
def test_decoders_read_as_one_and_a_damaged_one_stops_no_other(damaged: int | None) -> None:
    """Three codes, of two, one and three blocks."""
    tables, counts, rng = make_tables(0), (2, 1, 3), np.random.default_rng(0)
    owners = np.repeat(np.arange(6), [3, 0, 5, 2, 2, 4])
    batches = drawn(1, [len(owners)] * 4, tables)
    ends = np.cumsum(counts)
    ours = [np.isin(owners, range(end - count, end)) for count, end in zip(counts, ends, strict=True)]
    codes = [coded(tables, [(name, rows[own], s[own]) for name, rows, s in batches])[0] for own in ours]
    if damaged is not None:
        codes[damaged] = bytes(rng.integers(1, 256, len(codes[damaged]) + 3, np.uint8))
    joint = JointDecoder([RangeSymbolDecoder(tables, code) for code in codes], counts)
    found = [joint.code(name, rows, np.zeros(0, np.int32), owners) for name, rows, _ in batches]
    assert joint.finish() == [number != damaged for number in range(3)]
    for symbols, (_, _, expected) in zip(found, batches, strict=True):
        for number, own in enumerate(ours):
            if number != damaged:
                assert np.array_equal(symbols[own], expected[own])


def test_counting_counts() -> None:
    collector = CountCollector({"two": (5, 2)})
    rows, symbols = np.array([1, 1, 4]), np.array([0, 0, 1], np.int32)
    collector.code("two", rows, symbols, np.zeros(3, np.intp))
    assert collector.counts["two"][1, 0] == 2
    assert collector.counts["two"][4, 1] == 1
    assert collector.counts["two"].sum() == 3


def test_coders_as_one_have_the_symbols_of_their_own_blocks() -> None:
    """The second has none in the first batch, and blocks are counted from 0 by each."""
    table, counts = "two", (2, 1, 3)
    records = [Recorder() for _ in counts]
    joint = JointCoder(records, counts)
    for blocks in (np.array([0, 1, 1, 3, 5]), np.array([2, 2, 4])):
        symbols = np.arange(len(blocks), dtype=np.int32) % 2
        assert joint.code(table, np.zeros_like(blocks), symbols, blocks).tolist() == symbols.tolist()
    found = [[(own[2].tolist(), own[3].tolist()) for own in record.passes] for record in records]
    assert found == [
        [([0, 1, 0], [0, 1, 1]), ([], [])],
        [([], []), ([0, 1], [0, 0])],
        [([1, 0], [0, 2]), ([0], [1])],
    ]
