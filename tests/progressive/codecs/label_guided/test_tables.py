from __future__ import annotations

import pytest
import torch
from frozen_label_guided import frozen_model

from progressive.codecs.label_guided.prior import HYPER_REACH, UNITS
from progressive.codecs.label_guided.steps import FINEST, HATS, hats, quantised, step_of, steps_of
from progressive.codecs.label_guided.tables import HYPER, LATENT, SHAPES, Tables
from progressive.exact.laplace import MAX_INDEX


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
