import numpy as np
import pytest
from scipy.fft import dctn

from progressive.photos import sample_photo
from progressive.semantics.complexity import block_dct, latent_complexity, photo_complexity


def test_lcm_is_the_variance_across_channels() -> None:
    latent = np.array([[[1.0, 0.0]], [[3.0, 0.0]], [[8.0, 6.0]]])
    assert latent_complexity(latent) == pytest.approx(np.array([[(9 + 1 + 16) / 3, (4 + 4 + 16) / 3]]))


def test_a_position_whose_channels_are_equal_has_no_complexity() -> None:
    assert not latent_complexity(np.full((8, 2, 2), 5, np.float32)).any()


def test_block_dct_is_that_of_scipy() -> None:
    plane = np.random.default_rng(2).random((8, 12))
    coefficients = block_dct(plane, 4)
    assert coefficients.shape == (16, 2, 3)
    expected = dctn(plane[4:8, 8:12], norm="ortho").ravel()
    assert coefficients[:, 1, 2] == pytest.approx(expected, abs=1e-12)


def test_photo_complexity_sees_detail_and_not_brightness() -> None:
    photo = np.zeros((16, 24, 3), np.uint8)
    photo[:, 8:16] = 200
    photo[:, 16:] = np.random.default_rng(3).integers(0, 256, (16, 8, 1))
    lcm = photo_complexity(photo)
    assert lcm.shape == (2, 3)
    assert not lcm[:, :2].any()
    assert (lcm[:, 2] > 1000).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (16, 16)])
def test_any_size_has_finite_complexity(shape: tuple[int, int]) -> None:
    lcm = photo_complexity(sample_photo()[: shape[0], : shape[1]])
    assert lcm.shape == (-(-shape[0] // 8), -(-shape[1] // 8))
    assert np.isfinite(lcm).all()
    assert (lcm >= 0).all()
