import numpy as np
import pytest

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics import blockwise_si_ssim, ms_ssim, psnr, si_ssim, ssim
from progressive.metrics.comparison import NO_WEIGHTS, Measure, compare
from progressive.metrics.perceptual import PerceptualDistance
from progressive.photos import sample_photo
from progressive.semantics.grids import Map


def ramp(photo: Photo) -> Map:
    return np.linspace(0, 1, photo.shape[0] * photo.shape[1]).reshape(photo.shape[:2])


def unavailable(*_: object) -> PerceptualDistance:
    raise UsageError("no weights anywhere")


def by_key(measures: list[Measure]) -> dict[str, Measure]:
    return {measure.key: measure for measure in measures}


def test_every_metric_is_the_one_it_names() -> None:
    original = sample_photo()[:176, :176]
    picture = (original // 16) * 16 + 8
    measures = by_key(compare(picture, original, importance=ramp, perceptual=unavailable))
    weights = ramp(original)
    assert {key: measure.value for key, measure in measures.items()} == {
        "psnr": psnr(picture, original),
        "ssim": ssim(picture, original),
        "ms_ssim": ms_ssim(picture, original),
        "si_ssim": si_ssim(picture, original, weights),
        "blockwise_si_ssim": blockwise_si_ssim(picture, original, weights),
        "lpips": None,
    }
    assert [measure.note for measure in measures.values()] == [""] * 5 + [NO_WEIGHTS]


def test_what_does_not_apply_says_why() -> None:
    photo = sample_photo()[:9, :9]
    measures = by_key(compare(photo, photo, importance=unavailable, perceptual=unavailable))  # type: ignore[arg-type]
    assert all(measure.value is None for measure in measures.values())
    assert [measure.note for measure in measures.values()] == [
        "identical",
        "a side is below 11 pixels",
        "a side is below 161 pixels",
        *[NO_WEIGHTS] * 3,
    ]


def test_pictures_of_two_sizes_are_refused_before_any_weights_are_loaded() -> None:
    original = sample_photo()[:20, :30]
    with pytest.raises(UsageError, match="same size"):
        compare(original[:10], original, importance=ramp, perceptual=unavailable)
