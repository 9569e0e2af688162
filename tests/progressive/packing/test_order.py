import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import UsageError
from progressive.packing.order import order_segments
from progressive.stream import Segment


@st.composite
def segment_lists(draw):
    count = draw(st.integers(0, 12))
    segments = []
    for i in range(1, count + 1):
        depends_on = draw(st.lists(st.integers(1, i - 1), unique=True, max_size=3)) if i > 1 else []
        segments.append(
            Segment(
                i, draw(st.integers(0, 3)), tuple(depends_on), bytes(draw(st.integers(0, 9))), draw(st.floats(0, 9))
            )
        )
    return draw(st.permutations(segments))


def segment(identifier, layer=1, depends_on=(), size=10, utility=0.0):
    return Segment(identifier, layer, depends_on, bytes(size), utility)


@given(segment_lists())
def test_every_segment_goes_once_and_after_what_it_needs(segments):
    ordered = order_segments(segments)
    assert sorted(s.id for s in ordered) == sorted(s.id for s in segments)
    sent = set()
    for s in ordered:
        assert set(s.depends_on) <= sent
        sent.add(s.id)


def ids(*segments):
    return [s.id for s in order_segments(segments)]


def test_the_base_comes_first():
    assert ids(segment(1, utility=9), segment(2, layer=0), segment(3, layer=0, utility=1)) == [3, 2, 1]


def test_utility_per_byte_decides():
    assert ids(segment(1, size=100, utility=50), segment(2, size=10, utility=20)) == [2, 1]


def test_dependencies_hold_back_the_most_useful():
    assert ids(segment(1, utility=1), segment(2, depends_on=(1,), utility=99), segment(3, utility=5)) == [3, 1, 2]


def test_equals_keep_their_order():
    assert ids(segment(5), segment(3), segment(4)) == [5, 3, 4]


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([segment(1), segment(1)], "share an id"),
        ([segment(1, depends_on=(7,))], "lacks"),
        ([segment(1, depends_on=(2,)), segment(2, depends_on=(1,))], "circle"),
    ],
)
def test_impossible_streams_are_refused(segments, said):
    with pytest.raises(UsageError, match=said):
        order_segments(segments)
