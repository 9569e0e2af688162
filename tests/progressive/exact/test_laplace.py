"""Rows of tables, and indices through a coder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.exact.coders import RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.laplace import (
    ESCAPE,
    LEAST_SCALE,
    MAX_INDEX,
    REACH,
    ROWS,
    STEPS,
    SYMBOLS,
    Rows,
    assumed_rows,
    code_indices,
    escape_table,
    from_index,
)
from progressive.exact.tables import FrequencyTable, frequencies_from_counts

OWN = FrequencyTable(frequencies_from_counts(assumed_rows()))
TABLES = {"own": OWN, ESCAPE: escape_table()}


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@given(mean=st.integers(-9000, 9000), scale=st.integers(-200, 200), index=st.integers(-MAX_INDEX, MAX_INDEX))
def test_every_output_has_a_row_and_every_index_a_symbol(mean: int, scale: int, index: int) -> None:
    rows = Rows.of(ints(mean), ints(scale))
    assert 0 <= rows.row[0] < ROWS
    assert abs(rows.centre[0]) <= MAX_INDEX
    symbol = from_index(ints(index), rows.centre)[0]
    assert symbol == (index - rows.centre[0] + REACH if abs(index - rows.centre[0]) <= REACH else SYMBOLS - 1)


def test_rows_tell_the_fraction_of_the_mean_and_the_scale() -> None:
    rows = Rows.of(ints(0, 3, -4, 4, 8), np.full(5, LEAST_SCALE, np.int32))
    assert rows.centre.tolist() == [0, 0, 0, 1, 1]
    assert rows.row.tolist() == [4, 7, 0, 0, 4]
    assert Rows.of(ints(0, 0), ints(LEAST_SCALE + 1, 999)).row.tolist() == [STEPS + 4, ROWS - 4]


def test_assumed_rows_are_distributions_about_their_means() -> None:
    rows = assumed_rows()
    assert rows.shape == (ROWS, SYMBOLS)
    assert np.allclose(rows.sum(1), 1)
    assert (rows[np.arange(ROWS) % STEPS > 0, :-1].argmax(1) == REACH).all()
    wide = rows[-STEPS:, :-1] @ np.arange(-REACH, REACH + 1)
    assert (np.diff(wide) > 0).all()


@pytest.mark.parametrize("furthest", [2, 40, MAX_INDEX])
def test_indices_come_back_however_far_from_their_means(furthest: int) -> None:
    rng = np.random.default_rng(furthest)
    true = rng.integers(-furthest, furthest + 1, 300).astype(np.int32)
    rows = Rows.of(rng.integers(-20, 20, 300).astype(np.int32), rng.integers(0, 24, 300).astype(np.int32))
    owners, encoder = np.sort(rng.integers(0, 5, 300)), RangeSymbolEncoder(TABLES)
    assert np.array_equal(code_indices(encoder, "own", OWN, rows, true, owners), true)
    decoder = RangeSymbolDecoder(TABLES, encoder.to_bytes())
    assert np.array_equal(code_indices(decoder, "own", OWN, rows, np.zeros_like(true), owners), true)
    decoder.finish()


def test_what_is_sure_is_not_written() -> None:
    rows = Rows.of(ints(0, STEPS, -2 * STEPS), np.full(3, LEAST_SCALE, np.int32))
    encoder = RangeSymbolEncoder(TABLES)
    found = code_indices(encoder, "own", OWN, rows, ints(5, 5, 5), np.arange(3))
    assert found.tolist() == [0, 1, -2]
    assert encoder.to_bytes() == b""
