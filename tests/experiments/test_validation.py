from pathlib import Path

import numpy as np
import pytest
from materials import star
from PIL import Image

from experiments.validation import (
    Agreement,
    believed_by_planner,
    compare_photo,
    draw_receptions,
    estimated,
    joined_comparison,
)


def test_estimates_follow_the_pieces_and_beliefs_the_packets() -> None:
    material = star(2)
    there = np.array([[True, True, True], [True, False, True], [False, True, True]])
    psnr, ms_ssim = estimated(material, there)
    np.testing.assert_allclose(psnr, 10 * np.log10(255**2 * 300 / np.array([10, 30, 100])))
    np.testing.assert_allclose(ms_ssim, [0.9, 0.75, 0])
    np.testing.assert_allclose(believed_by_planner(material, there), psnr)


def test_estimates_are_compared_with_real_pictures(thumbnails: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    photo = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).resize((176, 176)).save(photo)
    part = compare_photo(str(photo), 25, 3, tmp_path, source=thumbnails, packet_size=300)
    again = compare_photo(str(photo), 25, 3, tmp_path, source=thumbnails, packet_size=300)
    assert part.psnr.tolist() == again.psnr.tolist()
    both = joined_comparison([part, again])
    assert len(both.psnr) == 50
    assert np.isfinite(both.ms_ssim).all()
    agreement = Agreement.of(both.estimated_psnr, both.psnr)
    assert agreement.receptions == 50
    assert agreement.worst >= abs(agreement.mean)


def test_agreement_is_that_of_the_differences() -> None:
    agreement = Agreement.of(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 4.0]))
    assert (agreement.mean, agreement.worst) == (1, 2)
    assert agreement.spread == pytest.approx((2 / 3) ** 0.5)


def test_a_stream_is_looked_at_as_it_comes() -> None:
    drawn = draw_receptions(40, 95, 2)
    assert sum(len(looks) for looks in drawn) == 95
    for looks in drawn:
        assert (looks[1:] >= looks[:-1]).all()
    # EP2 to EP6 lose 15.8 % on average, and half of the packets are yet to be sent: 95 looks at 10 streams
    assert np.concatenate(drawn).mean() == pytest.approx(0.42, abs=0.1)
