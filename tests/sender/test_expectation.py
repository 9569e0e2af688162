"""What the sender expects of pictures, beside what they are."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from fake_codec import ThumbnailCodec, ThumbnailDecoder

from progressive.codec import Photo
from progressive.metrics import psnr
from progressive.packing.packed import PackedStream
from progressive.photos import downscale, resized, sample_photo
from progressive.registry import load_codec
from progressive.runtime.stopping import Stop, never
from progressive.wire.expected_quality import STEP_DB, Expectation
from sender.expectation import MOST_PIXELS, Expected, measured_curve

PHOTO = np.ascontiguousarray(sample_photo()[64:256, 128:320])


def test_under_losses_the_expected_quality_is_within_half_a_decibel_on_average() -> None:
    codec, rng = load_codec("rmpgc"), np.random.default_rng(1)
    stream = codec.encode(PHOTO, max_payload=200)
    curve = measured_curve(PackedStream.of(stream, 260), codec, PHOTO)
    assert curve is not None
    expectation = Expectation(curve)
    misses = []
    for part in (0.1, 0.5):
        for loss in (0.0, 0.1):
            end = curve.base + part * (curve.last - curve.base)
            decoder = codec.decoder(stream.header)
            kept = [s for s in stream.segments if s.id <= end and (s.layer == 0 or rng.random() >= loss)]
            decoder.push_all((s.id, s.payload) for s in kept)
            misses.append(abs(expectation.psnr(decoder.shown) - psnr(decoder.picture(), PHOTO)))
    assert np.mean(misses) < 0.5


def test_a_downscaled_photo_is_measured_at_the_size_of_the_original() -> None:
    codec, small = ThumbnailCodec(), downscale(PHOTO, 4)
    stream = codec.encode(small, max_payload=500)
    curve = measured_curve(PackedStream.of(stream, 600), codec, PHOTO)
    assert curve is not None
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments)
    expected = Expectation(curve).psnr(decoder.shown)
    assert abs(expected - psnr(resized(decoder.picture(), PHOTO.shape), PHOTO)) < 0.2


def test_only_what_can_be_sent_is_measured_and_only_once() -> None:
    codec = ThumbnailCodec()
    stream = codec.encode(PHOTO, max_payload=500)
    expected = Expected(PackedStream.of(stream, 600), codec, PHOTO, budget_bytes=1200)
    curve = expected.curve()
    whole = measured_curve(PackedStream.of(stream, 600), codec, PHOTO)
    assert curve is not None
    assert whole is not None
    assert curve.levels[:3] == whole.levels[:3]
    assert curve.levels[-1] < whole.levels[-1]
    assert expected.curve() is curve


def test_in_a_hurry_the_picture_of_all_is_measured_and_others_are_guessed() -> None:
    codec = ThumbnailCodec()
    packed = PackedStream.of(codec.encode(PHOTO, max_payload=500), 600)
    expected, asked = Expected(packed, codec, PHOTO), list[bool]()
    rough = expected.curve(hurry=lambda: len(asked) == 2 or asked.append(True) is not None)
    whole = expected.curve()
    assert rough is not None
    assert whole is not None
    assert rough.levels != whole.levels
    assert (rough.levels[:3], rough.levels[-1]) == (whole.levels[:3], whole.levels[-1])
    assert min(rough.levels) >= min(whole.levels)


def test_what_is_guessed_in_a_hurry_is_close_to_what_would_be_measured() -> None:
    """From the pictures of nothing and of all alone."""
    codec = load_codec("rmpgc")
    packed = PackedStream.of(codec.encode(PHOTO, max_payload=200), 260)
    whole = measured_curve(packed, codec, PHOTO)
    rough = measured_curve(packed, codec, PHOTO, hurry=lambda: True, last_first=True)
    assert whole is not None
    assert rough is not None
    off = STEP_DB * np.abs(np.array(whole.levels) - rough.levels)
    assert off[0] == off[-1] == 0
    assert off.max() < 1.5, off


@pytest.mark.parametrize("last_first", [False, True])
def test_no_picture_is_measured_twice_and_who_will_be_in_a_hurry_has_that_of_all_first(last_first: bool) -> None:
    made = list[int]()

    class Counted(ThumbnailDecoder):
        def picture(self, *, stop: Stop = never) -> Photo:
            made.append(len(self.shown))
            picture: Photo = super().picture(stop=stop)
            return picture

    codec = ThumbnailCodec()
    packed = PackedStream.of(codec.encode(PHOTO, max_payload=500), 600)
    with patch.object(ThumbnailCodec, "decoder", lambda self, header, device="cpu": Counted(header)):
        curve = measured_curve(packed, codec, PHOTO, last_first=last_first)
        made_for_it = made.copy()
        rough = measured_curve(packed, codec, PHOTO, hurry=lambda: True, last_first=last_first)
    whole = len(packed.stream.segments)
    assert made_for_it[0 if last_first else -1] == whole
    assert sorted(made_for_it) == sorted({*made_for_it})
    assert sorted(made[len(made_for_it) :]) == [0, whole]
    assert curve is not None
    assert rough is not None
    assert rough.levels[-1] == curve.levels[-1]


def test_of_a_huge_photo_nothing_is_measured() -> None:
    side = int((MOST_PIXELS / 2) ** 0.5) + 64
    huge = np.zeros((side, side, 3), np.uint8)
    codec = ThumbnailCodec()
    stream = codec.encode(huge[:64, :64], max_payload=500)
    wide = replace(stream, header=replace(stream.header, width=side, height=side))
    assert measured_curve(PackedStream.of(wide, 600), codec, huge) is None
