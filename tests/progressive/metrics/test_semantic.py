import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics import blockwise_si_ssim, si_ssim, ssim
from progressive.photos import sample_photo

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def noisy(photo: Photo, deviation: float) -> Photo:
    noise = np.random.default_rng(8).normal(0, deviation, photo.shape)
    return np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)


def ssim_of_samples(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """SSIM of one window, Wang et al. 2004, with the population's variances."""
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    luminance = (2 * x.mean() * y.mean() + C1) / (x.mean() ** 2 + y.mean() ** 2 + C1)
    return float(luminance * (2 * covariance + C2) / (x.var() + y.var() + C2))


def test_equal_pictures_score_one_under_any_importance() -> None:
    photo = sample_photo()[:37, :50]
    importance = np.random.default_rng(9).random((37, 50))
    assert si_ssim(photo, photo, importance) == pytest.approx(1)
    assert blockwise_si_ssim(photo, photo, importance) == pytest.approx(1)


def test_blockwise_by_hand() -> None:
    original, picture = np.full((8, 16, 3), 100, np.uint8), np.full((8, 16, 3), 100, np.uint8)
    picture[:, 8:] = 150
    importance = np.ones((8, 16))
    importance[:, 8:] = 3
    changed = (2 * 100 * 150 + C1) / (100**2 + 150**2 + C1)
    assert blockwise_si_ssim(picture, original, importance) == pytest.approx(0.25 + 0.75 * changed)


def test_blockwise_is_the_sum_over_blocks_written_out() -> None:
    original = sample_photo("coffee")[100:121, 200:230]
    picture = noisy(original, 15)
    importance = np.random.default_rng(10).random(original.shape[:2])
    expected = 0.0
    for i in range(0, 21, 8):
        for j in range(0, 30, 8):
            level = importance[i : i + 8, j : j + 8].sum() / importance.sum()
            x, y = (one[i : i + 8, j : j + 8].astype(float) for one in (picture, original))
            expected += level * np.mean([ssim_of_samples(x[..., c], y[..., c]) for c in range(3)])
    assert blockwise_si_ssim(picture, original, importance) == pytest.approx(expected)


def test_windowed_is_the_sum_over_pixels_written_out() -> None:
    original = sample_photo("chelsea")[100:124, 200:232]
    picture = noisy(original, 15)
    importance = np.random.default_rng(11).random(original.shape[:2])
    settings = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    maps = [structural_similarity(picture[..., c], original[..., c], full=True, **settings)[1] for c in range(3)]
    similarity = np.mean(maps, axis=0)
    expected = 0.0
    for i in range(0, 24, 8):
        for j in range(0, 32, 8):
            level = importance[i : i + 8, j : j + 8].sum() / importance.sum()
            expected += level * similarity[i : i + 8, j : j + 8].mean()
    assert si_ssim(picture, original, importance) == pytest.approx(expected)


def test_even_importance_gives_about_the_plain_ssim() -> None:
    original = sample_photo()[:256, :256]
    picture = noisy(original, 20)
    assert si_ssim(picture, original, np.ones((256, 256))) == pytest.approx(ssim(picture, original), abs=0.01)


@pytest.mark.parametrize("metric", [si_ssim, blockwise_si_ssim])
def test_damage_where_meaning_is_costs_more(metric: object) -> None:
    original = sample_photo()[:128, :128]
    importance = np.zeros((128, 128))
    importance[:64] = 1
    top, bottom = original.copy(), original.copy()
    top[:48], bottom[80:] = noisy(original, 40)[:48], noisy(original, 40)[80:]
    assert metric(top, original, importance) < 0.8  # type: ignore[operator]
    assert metric(bottom, original, importance) == pytest.approx(1, abs=1e-6)  # type: ignore[operator]


def test_a_map_of_another_size_is_refused() -> None:
    photo = sample_photo()[:16, :24]
    with pytest.raises(UsageError, match="importance map"):
        si_ssim(photo, photo, np.ones((24, 16)))


def test_a_photo_below_one_window_has_blocks_only() -> None:
    photo = sample_photo()[:10, :10]
    assert si_ssim(photo, photo, np.ones((10, 10))) is None
    assert blockwise_si_ssim(photo, photo, np.ones((10, 10))) == pytest.approx(1)
