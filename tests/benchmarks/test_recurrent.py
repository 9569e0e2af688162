from __future__ import annotations

from pathlib import Path

import numpy as np
from frozen_recurrent import frozen_model

from benchmarks.recurrent import MEASURES, ORDERS, RATES, SHOWN_SIDE, measured, most_important
from progressive.codecs.recurrent.codec import Recurrent
from progressive.codecs.recurrent.layout import ITERATIONS
from progressive.photos import downscale, read_photo, sample_photo


def test_a_photo_is_measured_after_each_iteration_and_in_both_orders(tmp_path: Path) -> None:
    photo = downscale(sample_photo("chelsea"), max_pixels=60_000)
    found = measured(Recurrent(frozen_model()), photo, tmp_path / "part.png")
    assert found.iterations.shape == (ITERATIONS, 3)
    assert (np.diff(found.iterations[:, 0]) > 0).all()
    assert found.iterations[-1, 0] < 4
    assert found.shared.shape == (len(ORDERS), len(RATES), len(MEASURES))
    assert np.isfinite(found.shared).all()
    assert (found.shared[0] != found.shared[1]).any()
    side = min(SHOWN_SIDE, photo.shape[0])
    assert read_photo(tmp_path / "part.png").shape == (side, 3 * SHOWN_SIDE, 3)


def test_the_part_that_is_shown_is_where_meaning_is_and_inside_the_photo() -> None:
    importance = np.zeros((400, 600))
    importance[380:, 10:40] = 1
    rows, columns = most_important(importance)
    assert (rows.stop, columns.start) == (400, 0)
    assert rows.stop - rows.start == columns.stop - columns.start == SHOWN_SIDE
