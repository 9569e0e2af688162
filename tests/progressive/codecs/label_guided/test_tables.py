from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_label_guided import frozen_model
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.label_guided.prior import HYPER_REACH, STEPS, UNITS
from progressive.codecs.label_guided.steps import FINEST, HATS, MAX_INDEX, hats, quantised, step_of, steps_of
from progressive.codecs.label_guided.tables import (
    HYPER,
    LATENT,
    LEAST_SCALE,
    REACH,
    ROWS,
    SHAPES,
    SYMBOLS,
    Rows,
    Tables,
    from_index,
)


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


def test_tables_of_another_shape_are_refused() -> None:
    tables = frozen_model().coding.tables
    counted = {name: tables.frequencies[name] for name in SHAPES}
    with pytest.raises(ValueError, match="latent has another shape"):
        Tables.of(counted | {LATENT: counted[HYPER]}, tables.points)
    with pytest.raises(ValueError, match="points have another shape"):
        Tables.of(counted, tables.points[:3])
    assert SHAPES[HYPER][1] == 2 * HYPER_REACH + 1


def test_levels_are_steps_that_fall_and_hats_that_tell_them_apart() -> None:
    levels = torch.arange(FINEST + 1)
    steps = steps_of(levels)
    assert (torch.diff(steps) < 0).all()
    assert float(steps[20]) == pytest.approx(step_of(20))
    assert (torch.diff(UNITS) <= 0).all()
    assert int(UNITS.min()) > 0
    found = hats(levels)
    assert found.shape == (FINEST + 1, HATS, 1, 1)
    assert int(found.min()) == 0
    assert int(found.max()) == 255
    assert len({tuple(each.flatten().tolist()) for each in found}) == FINEST + 1


def test_rounding_prefers_zero() -> None:
    values = torch.tensor([0.55, 0.62, -0.62, -1.7, 999.0])
    assert quantised(values).tolist() == [0.0, 1.0, -1.0, -2.0, MAX_INDEX]
