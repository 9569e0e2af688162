import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.changes import BLOCK, NOISE, TOLERANCE, Region, block_errors, changed_region


def frame(height=100, width=150, level=100):
    return np.full((height, width, 3), level, np.uint8)


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 2**16))
def test_block_errors_are_mean_squares_of_whole_and_partial_blocks(height, width, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    errors = block_errors(a, b)
    assert errors.shape == (-(-height // BLOCK), -(-width // BLOCK))
    for row, column in np.ndindex(errors.shape):
        place = np.s_[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        assert errors[row, column] == pytest.approx(((a[place].astype(float) - b[place]) ** 2).mean())


def test_what_is_shown_as_well_as_it_could_be_is_not_sent():
    rng = np.random.default_rng(0)
    shown = frame()
    photo = (shown + rng.normal(0, 5, shown.shape)).clip(0, 255).astype(np.uint8)
    assert changed_region(photo, shown, attainable=block_errors(photo, shown) / TOLERANCE) is None
    assert changed_region(photo, shown, attainable=np.zeros((4, 5))) == Region(0, 0, 150, 100)


def test_quiet_noise_is_no_change():
    assert changed_region(frame(level=101), frame(level=100), np.zeros((4, 5))) is None
    assert NOISE < 2**2
    assert changed_region(frame(level=102), frame(level=100), np.zeros((4, 5))) is not None


@pytest.mark.parametrize(
    ("places", "region"),
    [
        ([(40, 70)], Region(64, 32, 32, 32)),
        ([(40, 70), (5, 100)], Region(64, 0, 64, 64)),
        ([(99, 149)], Region(128, 96, 22, 4)),
    ],
)
def test_the_region_is_the_smallest_rectangle_of_blocks_around_all_changes(places, region):
    photo, shown = frame(), frame()
    for y, x in places:
        photo[y, x] = 255
    assert changed_region(photo, shown, np.zeros((4, 5))) == region
    assert region.of(photo).shape == (region.height, region.width, 3)
    errors = block_errors(photo, shown)
    assert errors[region.blocks].shape == block_errors(region.of(photo), region.of(shown)).shape
    assert errors[region.blocks].sum() == pytest.approx(errors.sum())
