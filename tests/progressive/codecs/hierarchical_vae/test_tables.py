from __future__ import annotations

import numpy as np
import pytest
from frozen_hierarchical_vae import frozen_model
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.hierarchical_vae.prior import STEPS
from progressive.codecs.hierarchical_vae.quantiser import MAX_INDEX
from progressive.codecs.hierarchical_vae.tables import (
    LEAST_SCALE,
    MAX_SHIFT,
    NARROW,
    REACHES,
    ROWS,
    SCALES_OF_ROWS,
    WIDE,
    Rows,
    Tables,
    from_index,
    to_index,
)
from progressive.exact.tables import TOTAL


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@given(
    index=st.integers(-MAX_INDEX, MAX_INDEX), mean=st.integers(-9000, 9000), scale=st.integers(-200, 200),
    name=st.sampled_from(sorted(REACHES)),
)  # fmt: skip
def test_an_index_comes_back_from_its_symbols_or_is_escaped(index: int, mean: int, scale: int, name: str) -> None:
    rows, reach = Rows.of(ints(mean), ints(scale)), REACHES[name]
    symbols, last = from_index(ints(index), rows.centre, rows.shift, reach)
    assert 0 <= symbols[0] <= 2 * reach + 1
    assert 0 <= last[0] < 1 << rows.shift[0]
    if symbols[0] == 2 * reach + 1:
        assert abs(index - rows.centre[0]) > reach << max(rows.shift[0] - 1, 0)
    else:
        assert to_index(symbols, last, rows.centre, rows.shift, reach)[0] == index


@given(mean=st.integers(-9000, 9000), scale=st.integers(-200, 200))
def test_every_output_has_a_row(mean: int, scale: int) -> None:
    rows = Rows.of(ints(mean), ints(scale))
    assert 0 <= rows.shift[0] <= MAX_SHIFT
    assert 0 <= rows.row[0] < sum(ROWS.values())
    named = {name: rows.named(name) for name in REACHES}
    assert sum(len(chosen) for chosen, _ in named.values()) == 1
    for name, (_, numbers) in named.items():
        assert ((numbers >= 0) & (numbers < ROWS[name])).all()


def test_rows_tell_the_fraction_of_the_mean_and_the_scale() -> None:
    rows = Rows.of(ints(0, 3, -4, 4, 8), np.full(5, LEAST_SCALE, np.int32))
    assert rows.centre.tolist() == [0, 0, 0, 1, 1]
    assert rows.row.tolist() == [4, 7, 0, 0, 4]
    widest = LEAST_SCALE + SCALES_OF_ROWS - 1
    rows = Rows.of(np.zeros(4, np.int32), ints(widest, widest + 1, widest + STEPS, widest + STEPS + 1))
    assert rows.shift.tolist() == [0, 1, 1, 2]
    end = sum(ROWS.values())
    assert rows.row.tolist() == [end - 4, end - 60, end - 4, end - 60]


def test_tables_of_another_shape_are_refused() -> None:
    tables = frozen_model().coding.tables
    counted = {name: tables.frequencies[name] for name in REACHES}
    with pytest.raises(ValueError, match="wide has another shape"):
        Tables.of(counted | {WIDE: counted[NARROW]}, tables.points)


def test_what_a_row_expects_is_the_mean_of_its_symbols() -> None:
    tables = frozen_model().coding.tables
    table, points = tables.frequencies[WIDE].frequencies[200], tables.points[WIDE][200]
    distances = np.arange(-16, 17) + points[:-1] / 64
    mean = (table[:-1] * distances).sum() / (TOTAL - table[-1])
    assert tables.expected[WIDE][200] == pytest.approx(mean, abs=1e-5)
