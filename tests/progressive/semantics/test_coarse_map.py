import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from progressive.errors import BitstreamError, UsageError
from progressive.semantics.coarse_map import MAX_CELLS, CoarseMap, coarse_grid
from progressive.semantics.grids import area_average

sides = st.integers(1, 65535)


@given(sides, sides)
def test_a_photo_of_any_size_and_aspect_has_a_grid(height: int, width: int) -> None:
    rows, columns = coarse_grid(height, width)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    assert rows * columns <= MAX_CELLS
    if min(height, width) > 200 and max(height, width) < 8 * min(height, width):
        assert rows * columns > 0.7 * MAX_CELLS
        assert 0.6 < (height / rows) / (width / columns) < 1.6


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_bytes_come_back_as_they_went(height: int, width: int, seed: int) -> None:
    sent = CoarseMap.of(np.random.default_rng(seed).random((height, width), np.float32))
    data = sent.to_bytes()
    assert len(data) <= 50
    received = CoarseMap.from_bytes(data)
    assert np.array_equal(received.levels, sent.levels)
    assert received.to_bytes() == data
    assert received.upsampled(height, width).tobytes() == sent.upsampled(height, width).tobytes()


@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        parsed = CoarseMap.from_bytes(data)
    except BitstreamError:
        return
    assert parsed.to_bytes() == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"\x00\x05", "0 x 5"),
        (b"\x10\x10" + bytes(96), "16 x 16"),
        (b"\x02\x02\x00", "cannot take 3"),
        (b"\x01\x01\x00\x00", "cannot take 4"),
        (b"\x01\x01\x01", "not zero"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        CoarseMap.from_bytes(data)


def test_the_bytes_by_hand() -> None:
    coarse = CoarseMap(np.array([[7, 0, 5]], np.uint8))
    assert coarse.to_bytes() == bytes([1, 3, 0b11100010, 0b10000000])


def test_levels_are_the_means_of_cells_within_half_a_step() -> None:
    importance = np.random.default_rng(5).random((200, 300)) ** 4
    coarse = CoarseMap.of(importance)
    means = area_average(importance, *coarse.levels.shape)
    assert np.abs(coarse.levels / 7 - means).max() <= 1 / 14 + 1e-9
    assert CoarseMap.of(np.ones((30, 40))).levels.min() == 7
    assert CoarseMap.of(np.zeros((30, 40))).levels.max() == 0


def test_upsampling_is_bilinear_between_centres() -> None:
    coarse = CoarseMap(np.array([[0, 7]], np.uint8))
    assert coarse.upsampled(1, 4).tolist() == [[0, 0.25, 0.75, 1]]
    levels = np.random.default_rng(6).integers(0, 8, (9, 14)).astype(np.uint8)
    ours = CoarseMap(levels).upsampled(90, 140)
    pillow = Image.fromarray((levels / 7).astype(np.float32)).resize((140, 90), Image.Resampling.BILINEAR)
    assert np.abs(ours - np.asarray(pillow)).max() < 1e-6


def test_any_grid_is_possible_and_its_own_grid_is_exact() -> None:
    coarse = CoarseMap.of(np.random.default_rng(7).random((64, 64)))
    rows, columns = coarse.levels.shape
    assert np.array_equal(coarse.upsampled(rows, columns), (coarse.levels / 7).astype(np.float32))
    for shape in ((1, 1), (3, 2), (500, 7)):
        values = coarse.upsampled(*shape)
        assert values.shape == shape
        assert 0 <= values.min() <= values.max() <= 1


def test_a_smooth_map_survives_the_way() -> None:
    y, x = np.mgrid[0:256, 0:384]
    importance = np.exp(-(((y - 100) / 60) ** 2) - ((x - 250) / 80) ** 2)
    received = CoarseMap.from_bytes(CoarseMap.of(importance).to_bytes()).upsampled(256, 384)
    assert np.corrcoef(received.ravel(), importance.ravel())[0, 1] > 0.98


def test_what_is_no_map_is_refused() -> None:
    for importance in (np.zeros((0, 4)), np.full((4, 4), np.nan), np.zeros(4)):
        with pytest.raises(UsageError, match="finite"):
            CoarseMap.of(importance)
