from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from progressive.entropy.coders import CostMeter, CountCollector, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.entropy.tables import PRECISION_BITS, TOTAL, FrequencyTable, frequencies_from_counts
from progressive.errors import BitstreamError


def make_tables(seed: int) -> dict[str, FrequencyTable]:
    rng = np.random.default_rng(seed)
    return {
        name: FrequencyTable(frequencies_from_counts(rng.gamma(0.3, size=shape)))
        for name, shape in (("two", (5, 2)), ("many", (3, 40)))
    }


@given(seed=st.integers(0, 2**32 - 1), counts=st.lists(st.integers(0, 60), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_symbols_come_back_and_cost_what_the_meter_says(seed: int, counts: list[int]) -> None:
    rng, tables = np.random.default_rng(seed), make_tables(seed)
    encoder, meter = RangeSymbolEncoder(tables), CostMeter(tables, blocks=1)
    batches = []
    for index, count in enumerate(counts):
        name = ("two", "many")[index % 2]
        rows_in_table, symbols_in_table = tables[name].frequencies.shape
        rows = rng.integers(rows_in_table, size=count)
        symbols = rng.integers(symbols_in_table, size=count).astype(np.int32)
        batches.append((name, rows, symbols))
        for coder in (encoder, meter):
            coder.code(name, rows, symbols, np.zeros(count, np.intp))
    data = encoder.to_bytes()
    assert len(data) * 8 <= meter.bits.sum() + 40
    decoder = RangeSymbolDecoder(tables, data)
    for name, rows, symbols in batches:
        decoded = decoder.code(name, rows, np.zeros_like(symbols), np.zeros(len(rows), np.intp))
        assert np.array_equal(decoded, symbols)
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


def test_leftover_bytes_are_damage() -> None:
    tables = make_tables(0)
    decoder = RangeSymbolDecoder(tables, bytes(range(1, 60)))
    decoder.code("two", np.zeros(3, np.intp), np.zeros(3, np.int32), np.zeros(3, np.intp))
    with pytest.raises(BitstreamError):
        decoder.finish()


def test_counting_counts() -> None:
    collector = CountCollector({"two": (5, 2)})
    rows, symbols = np.array([1, 1, 4]), np.array([0, 0, 1], np.int32)
    collector.code("two", rows, symbols, np.zeros(3, np.intp))
    assert collector.counts["two"][1, 0] == 2
    assert collector.counts["two"][4, 1] == 1
    assert collector.counts["two"].sum() == 3
