import numpy as np
import pytest

from progressive.evaluation.curves import Curve, Point, curve
from progressive.evaluation.figure import stream_line


def cut_stream(photo: str, *points: tuple[int, float]) -> Curve:
    """Of 8 pixels, so that as many bytes are as many bits a pixel."""
    return curve("ours", photo, 8, [Point(size, psnr, None) for size, psnr in points], one_stream=True)


def test_one_photo_is_drawn_through_its_cuts_without_stairs_between_them() -> None:
    rates, psnr = stream_line([cut_stream("a", (1, 20.0), (2, 30.0), (4, 34.0))], "psnr")
    assert rates.tolist() == [1, 2, 4]
    assert psnr.tolist() == [20, 30, 34]


def test_several_photos_are_drawn_by_their_mean_where_all_were_cut() -> None:
    rates, psnr = stream_line([cut_stream("a", (1, 20.0), (3, 30.0)), cut_stream("b", (2, 40.0), (4, 50.0))], "psnr")
    assert (rates[0], rates[-1]) == pytest.approx((2, 3))
    assert (psnr[0], psnr[-1]) == pytest.approx(((25 + 40) / 2, (30 + 45) / 2))
    slopes = np.diff(psnr) / np.diff(rates)
    assert slopes == pytest.approx(np.full(len(slopes), 5.0))


def test_photos_without_the_measure_or_a_common_rate_draw_nothing() -> None:
    assert len(stream_line([cut_stream("a", (1, 20.0))], "ms_ssim")[0]) == 0
    assert len(stream_line([cut_stream("a", (1, 20.0)), cut_stream("b", (2, 20.0))], "psnr")[0]) == 0
