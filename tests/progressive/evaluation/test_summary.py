from __future__ import annotations

import pytest

from progressive.evaluation.curves import Curve, Point
from progressive.evaluation.report import text
from progressive.evaluation.summary import mean_rows, photo_rows, summarise

RATES = (0.1, 0.2)


def curve(system: str, photo: str, *points: Point) -> Curve:
    return Curve(system, photo, 800, points)


def test_means_are_over_all_photos_or_there_is_none() -> None:
    curves = [
        curve("a", "p", Point(10, 20.0, 0.5)),
        curve("b", "p", Point(8, 22.0, 0.7)),
        curve("a", "q", Point(10, 30.0, 0.9)),
        curve("b", "q", Point(20, 32.0, 0.9)),
    ]
    low, high = mean_rows(photo_rows(curves, ["a", "b"], RATES), RATES)
    assert low.psnr == (25.0, None)
    assert low.reached == (2, 1)
    assert low.photos == 2
    assert high.psnr == (25.0, 27.0)
    assert high.ms_ssim == (0.7, pytest.approx(0.8))
    assert high.used_bpp == (0.1, pytest.approx(0.14))


def test_bd_rates_are_means_over_photos_of_the_codec_beside_its_peer() -> None:
    """The codec takes 10 % more bytes for one photo and 30 % more for the other."""
    curves = []
    for photo, factor in (("p", 1.1), ("q", 1.3)):
        points = [(1000, 25.0, 0.8), (2000, 28.0, 0.9), (3000, 30.0, 0.93), (5000, 33.0, 0.97)]
        curves += [curve("a", photo, *(Point(round(factor * size), *quality) for size, *quality in points))]
        curves += [curve("b", photo, *(Point(size, *quality) for size, *quality in points))]
    summary = summarise(curves, ["a", "b"], RATES, seed=0)
    for quality in ("psnr", "ms_ssim"):
        found = summary.bd_rates["b", quality]
        assert (found.mean, found.low, found.high) == tuple(map(pytest.approx, (20, 10, 30)))
        assert found.photos == 2
    assert "| b | +20.0 % (+10.0 to +30.0) | 2 |" in text(summary, "")


def test_recognition_is_paired_by_photo_and_pooled_over_the_rates_that_both_have() -> None:
    curves = []
    for photo, gain in (("p", 0.1), ("q", 0.3)):
        ours = [Point(10, 20.0, None, None, 1.0, 0.4 + gain), Point(20, 21.0, None, None, 1.0, 0.6)]
        theirs = [Point(9, 20.0, None, None, 0.0, 0.4)] + ([Point(11, 22.0, None, None, 1.0, 0.5)] * (photo == "p"))
        curves += [curve("a", photo, *ours), curve("b", photo, *theirs)]
    table = {(r.system, r.bpp): r for r in summarise(curves, ["a", "b"], RATES, seed=0).recognition}
    assert table["a", 0.1].top1.mean == 1
    assert table["a", 0.1].top1_gain is None
    gain = table["b", 0.1].probability_gain
    assert gain is not None
    assert (gain.mean, gain.low, gain.high) == tuple(map(pytest.approx, (0.2, 0.1, 0.3)))
    pooled = table["b", None].top1_gain
    assert pooled is not None
    assert pooled.mean == pytest.approx((0.5 + 1.0) / 2)
    assert table["a", None].probability.mean == pytest.approx((0.5 + 0.6 + 0.7 + 0.6) / 4)


def test_without_labels_there_is_no_table_of_recognition() -> None:
    summary = summarise([curve("a", "p", Point(10, 20.0, None))], ["a"], RATES, seed=0)
    assert summary.recognition == ()
    assert "top-1" not in text(summary, "protocol")
