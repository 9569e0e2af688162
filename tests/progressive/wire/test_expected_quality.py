import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.expected_quality import MAX_POINTS, STEP_DB, Curve, Expectation, places
from progressive.wire.manifest import Manifest, parse_manifest

CURVE = Curve.of(4, 40, 2, [8, 15, 20, 24, 27, 30])
"""Two points of a base of four segments, three beyond it: at ids 2, 4, 8, 20, 40."""


def test_the_points_are_where_the_curve_was_measured() -> None:
    assert places(4, 40, 2, 5) == [2, 4, 8, 20, 40]
    for shown, psnr in ((0, 8), (2, 15), (4, 20), (8, 24), (20, 27), (40, 30)):
        assert Expectation(CURVE).psnr(range(1, shown + 1)) == pytest.approx(psnr)


def test_a_lost_segment_costs_what_it_would_have_added() -> None:
    expectation = Expectation(CURVE)
    without_early = expectation.psnr(set(range(1, 41)) - {5})
    without_late = expectation.psnr(set(range(1, 41)) - {39})
    assert without_early < without_late < 30
    added = [
        10 ** (-expectation.psnr(range(1, i)) / 10) - 10 ** (-expectation.psnr(range(1, i + 1)) / 10) for i in (5,)
    ]
    assert 10 ** (-without_early / 10) - 10 ** (-30 / 10) == pytest.approx(added[0])


def test_what_was_not_measured_adds_nothing() -> None:
    assert Expectation(CURVE).psnr(range(1, 100)) == pytest.approx(30)


def test_a_picture_equal_to_the_original_is_the_best_that_can_be_told() -> None:
    assert Expectation(Curve.of(1, 1, 1, [8, math.inf])).psnr({1}) == pytest.approx(255 * STEP_DB)


@given(st.binary(max_size=60))
def test_bytes_are_a_curve_or_a_wire_error(data: bytes) -> None:
    try:
        curve = Curve.from_bytes(data)
    except WireError:
        return
    assert curve.to_bytes() == data
    assert 0 <= Expectation(curve).psnr(range(0, 100, 3)) <= 255 * STEP_DB


@given(st.binary(max_size=80))
def test_bytes_are_a_manifest_or_a_wire_error(data: bytes) -> None:
    try:
        manifest = parse_manifest(data)
    except WireError:
        return
    assert parse_manifest(manifest.to_bytes()) == manifest


def test_a_manifest_is_read_as_it_was_written_whatever_else_is_in_it() -> None:
    data = Manifest(CURVE).to_bytes()
    assert parse_manifest(data) == Manifest(CURVE)
    assert parse_manifest(bytes([99, 2, 1, 1]) + data + bytes([98, 0])) == Manifest(CURVE)
    for broken in (data + data, data[:-1], data + b"\x07", bytes([1, MAX_POINTS + 7]) + bytes(MAX_POINTS + 7)):
        with pytest.raises(WireError):
            parse_manifest(broken)
