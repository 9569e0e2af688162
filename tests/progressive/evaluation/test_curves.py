from __future__ import annotations

from fake_codec import ThumbnailCodecOfOneRate

from progressive.coded_file import coded_within
from progressive.container import cut, file_size, stream_to_bytes
from progressive.evaluation.curves import Curve, Point, byte_limit
from progressive.evaluation.meter import Meter
from progressive.evaluation.streams import rated_points, stream_points
from progressive.photos import downscale, sample_photo
from progressive.registry import load_codec

POINTS = Point(10, 20.0, 0.7, 0.5), Point(20, 25.0, 0.6, 0.2), Point(30, 24.0, 0.9, 0.3)


def test_the_best_picture_within_a_rate_is_the_best_file_that_fits() -> None:
    curve = Curve("a", "p", 800, POINTS)
    assert curve.best_within(0.05) is None
    assert curve.best_within(0.1) == POINTS[0]
    assert curve.best_within(10) == POINTS[1]
    assert curve.best_within(10, "ms_ssim") == POINTS[2]
    assert curve.best_within(10, "lpips") == POINTS[1]


def test_of_one_stream_the_longest_cut_counts_even_if_a_shorter_one_is_better() -> None:
    assert Curve("a", "p", 800, POINTS, one_stream=True).best_within(10) == POINTS[2]


def test_a_measure_that_was_not_taken_has_no_best() -> None:
    assert Curve("a", "p", 800, (Point(10, 20.0, None),)).best_within(10, "ms_ssim") is None


def test_the_front_drops_what_a_smaller_file_beats() -> None:
    points = Point(10, 20.0, None), Point(10, 21.0, None), Point(15, 19.0, None), Point(20, 25.0, None)
    assert Curve("a", "p", 800, points).front("psnr") == (points[1], points[3])


def test_cuts_are_the_fullest_files_that_fit(thumbnails: str) -> None:
    codec = load_codec(thumbnails)
    photo = downscale(sample_photo(), max_pixels=60_000)
    meter = Meter(photo)
    stream = codec.encode(photo, max_payload=300)
    everything = list(stream_points(codec, stream, meter))
    assert [p.bytes for p in everything][-1] == file_size(stream) == len(stream_to_bytes(stream))
    assert len(everything) == len(stream.segments)

    rates = [0.001, 0.05, 0.1, 0.1001, 0.2, 9.0]
    points = list(stream_points(codec, stream, meter, rates))
    limits = [byte_limit(rate, meter.pixels) for rate in rates[1:]]
    assert [p.bytes for p in points] == sorted({len(stream_to_bytes(cut(stream, limit))) for limit in limits})
    for limit in limits:
        prefix = max((p.bytes for p in everything if p.bytes <= limit), default=0)
        assert prefix <= max((p.bytes for p in points if p.bytes <= limit), default=0) <= limit
    assert points[-1] == everything[-1]


def test_a_codec_of_one_rate_makes_a_stream_for_each_rate() -> None:
    codec, photo = ThumbnailCodecOfOneRate(), downscale(sample_photo(), max_pixels=60_000)
    meter, whole = Meter(photo), codec.encode(photo, max_payload=300)
    large = 8 * file_size(whole) / meter.pixels * 1.01
    points = list(rated_points(codec, meter, [large / 2, large], max_payload=300, context=None))
    assert [point.setting for point in points] == [
        "3 of 3 segments",
        f"{len(whole.segments)} of {len(whole.segments)} segments",
    ]
    assert all(
        point.bytes <= byte_limit(bpp, meter.pixels) for point, bpp in zip(points, [large / 2, large], strict=True)
    )
    within = [coded_within(codec, photo, limit) for limit in (file_size(whole) // 2, None)]
    assert [{segment.layer for segment in stream.segments} for stream in within] == [{0}, {0, 1}]
