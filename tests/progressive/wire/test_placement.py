import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import BitstreamError
from progressive.stream import StreamHeader
from progressive.wire.placement import PLACEMENT_SIZE, Placement, header_data, parse_header_data

HEADER = StreamHeader(3, bytes(8), 64, 32, 7, b"abc")
PLACEMENT = Placement(canvas=9, width=200, height=100, left=128, top=64)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 100),
    st.integers(0, 100),
    st.binary(max_size=255),
)
def test_every_placement_inside_its_canvas_comes_back(canvas, left, top, right, bottom, parameters):
    header = StreamHeader(3, bytes(8), 64, 32, 7, parameters)
    placement = Placement(canvas, left + 64 + right, top + 32 + bottom, left, top)
    assert parse_header_data(header_data(header, placement)) == (header, placement)
    assert parse_header_data(header_data(header, None)) == (header, None)


@pytest.mark.parametrize(
    "placement",
    [
        Placement(9, 191, 100, 128, 64),
        Placement(9, 200, 95, 128, 64),
        Placement(9, 65535, 65535, 0, 0),
    ],
)
def test_a_part_outside_its_canvas_or_a_canvas_beyond_the_limit_is_refused(placement):
    with pytest.raises(BitstreamError, match="outside"):
        parse_header_data(header_data(HEADER, placement))


def test_what_is_cut_or_too_long_is_refused():
    data = header_data(HEADER, PLACEMENT)
    wrong = [data[:cut] for cut in range(len(data)) if cut != len(data) - PLACEMENT_SIZE]
    for attempt in [*wrong, data + b"\0", data + data]:
        with pytest.raises(BitstreamError):
            parse_header_data(attempt)


def test_the_part_is_pasted_over_the_canvas_and_over_grey_without_one():
    canvas, part = np.full((100, 200, 3), 10, np.uint8), np.full((32, 64, 3), 200, np.uint8)
    frame = PLACEMENT.paste(canvas, part)
    assert (frame[64:96, 128:192] == 200).all()
    assert frame.sum() == canvas.sum() + 190 * part.size
    assert (canvas == 10).all()
    for missing in (None, canvas[:50]):
        frame = PLACEMENT.paste(missing, part)
        assert (frame[64:96, 128:192] == 200).all()
        assert (frame[:64] == 128).all()
