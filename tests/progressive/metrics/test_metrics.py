import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_msssim import ssim as batch_ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics import ms_ssim, psnr, ssim
from progressive.metrics.structural import ssim_map
from progressive.photos import sample_photo

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def noisy(photo: Photo, deviation: float) -> Photo:
    noise = np.random.default_rng(7).normal(0, deviation, photo.shape)
    return np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)


def blurred_rows(plane: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.convolve(row, window, mode="valid") for row in plane])


def reference_ms_ssim(a: Photo, b: Photo) -> float:
    """Wang, Simoncelli, Bovik 2003 written out with NumPy: an 11-sample Gaussian window, five dyadic scales."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return blurred_rows(blurred_rows(plane, window).T, window).T

    def halve(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        quads = plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2)
        return np.asarray(quads.mean((1, 3)))

    channels = []
    for channel in range(3):
        x, y = a[:, :, channel].astype(float), b[:, :, channel].astype(float)
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            mean_x, mean_y = mean(x), mean(y)
            var_x, var_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
            covariance = mean(x * y) - mean_x * mean_y
            contrast = (2 * covariance + (0.03 * 255) ** 2) / (var_x + var_y + (0.03 * 255) ** 2)
            luminance = (2 * mean_x * mean_y + (0.01 * 255) ** 2) / (mean_x**2 + mean_y**2 + (0.01 * 255) ** 2)
            last = scale == len(WEIGHTS) - 1
            product *= float((contrast * luminance if last else contrast).mean()) ** weight
            if not last:
                x, y = halve(x), halve(y)
        channels.append(product)
    return float(np.mean(channels))


def test_psnr_of_a_constant_difference_has_a_closed_form() -> None:
    original = np.full((5, 7, 3), 100, dtype=np.uint8)
    assert psnr(original + np.uint8(5), original) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(np.zeros_like(original), np.full_like(original, 255)) == 0
    assert psnr(original, original) == math.inf


def test_psnr_agrees_with_scikit_image() -> None:
    original = sample_photo()
    for deviation in (1, 10, 60):
        picture = noisy(original, deviation)
        assert psnr(picture, original) == pytest.approx(peak_signal_noise_ratio(original, picture), abs=1e-9)


def reference_ssim(a: Photo, b: Photo) -> float:
    """Wang et al. 2004 with pytorch-msssim, which convolves where scikit-image filters."""
    planes = (torch.tensor(one.transpose(2, 0, 1)[None].astype(np.float32)) for one in (a, b))
    return float(batch_ssim(*planes, data_range=255))


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_ssim_agrees_with_two_libraries(name: str) -> None:
    original = sample_photo(name)[:160, 100:300]
    for deviation in (3, 30):
        picture = noisy(original, deviation)
        settings = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        by_channels = structural_similarity(picture, original, channel_axis=2, **settings)
        assert ssim(picture, original) == pytest.approx(by_channels, abs=1e-9)
        assert ssim(picture, original) == pytest.approx(reference_ssim(picture, original), abs=1e-4)


def test_ssim_of_flat_pictures_has_a_closed_form() -> None:
    original = np.full((16, 20, 3), 100, np.uint8)
    expected = (2 * 100 * 150 + 2.55**2) / (100**2 + 150**2 + 2.55**2)
    assert ssim(np.full_like(original, 150), original) == pytest.approx(expected)
    similarity = ssim_map(np.full_like(original, 150), original)
    assert similarity is not None
    assert similarity == pytest.approx(expected)


def test_ssim_needs_one_window() -> None:
    original = sample_photo()
    assert ssim(original[:10], original[:10]) is None
    assert ssim(original[:11, :11], original[:11, :11]) == pytest.approx(1)


def test_ms_ssim_agrees_with_the_definition() -> None:
    original = sample_photo()[:192, 100:308]
    for deviation in (5, 40):
        picture = noisy(original, deviation)
        assert ms_ssim(picture, original) == pytest.approx(reference_ms_ssim(picture, original), abs=2e-4)


def test_ms_ssim_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    original = sample_photo()[:200, :200]
    values = [ms_ssim(noisy(original, deviation), original) or 0.0 for deviation in (0, 5, 20, 80)]
    assert values[0] == pytest.approx(1)
    assert all(better > worse for better, worse in pairwise(values))


def test_ms_ssim_needs_161_pixels() -> None:
    original = sample_photo()
    assert ms_ssim(original[:160], original[:160]) is None
    assert ms_ssim(original[:161, :161], original[:161, :161]) == pytest.approx(1)


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_pictures_that_cannot_be_compared_are_refused(metric: object) -> None:
    original = np.zeros((4, 6, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match="6x4 and 4x6"):
        metric(original, original.transpose(1, 0, 2))  # type: ignore[operator]
    with pytest.raises(UsageError, match="uint8"):
        metric(original.astype(float), original)  # type: ignore[operator]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot measure a list"):
        psnr([[1]], [[1]])  # type: ignore[arg-type]
