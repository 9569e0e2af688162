from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.transforms.wavelet import COLOURS, merge, split, to_opponent, to_rgb


def noise(height: int, width: int, *, count: int = 1) -> Tensor:
    return torch.randn(count, 1, height, width, generator=torch.Generator().manual_seed(height + width))


@pytest.mark.parametrize("size", [(2, 2), (64, 2), (2, 64), (6, 10), (128, 192)])
def test_a_level_is_undone(size: tuple[int, int]) -> None:
    low = noise(*size, count=2)
    halves = split(low)
    assert [tuple(t.shape) for t in halves] == [(2, n, size[0] // 2, size[1] // 2) for n in (1, 3)]
    torch.testing.assert_close(merge(*halves), low, atol=1e-5, rtol=0)


def test_colours_are_orthonormal_and_come_back() -> None:
    torch.testing.assert_close(COLOURS @ COLOURS.T, torch.eye(3))
    photos = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(to_rgb(to_opponent(photos)), photos)
    grey = to_opponent(torch.full((1, 3, 1, 1), 0.75)).flatten()
    torch.testing.assert_close(grey, torch.tensor([0.25 * 3**0.5, 0, 0]))


def test_what_is_flat_has_no_detail() -> None:
    low, detail = split(torch.full((1, 1, 8, 6), 0.25))
    torch.testing.assert_close(low, torch.full((1, 1, 4, 3), 0.5), atol=1e-4, rtol=0)
    assert detail.abs().max() < 1e-5


def test_detail_is_that_along_each_direction() -> None:
    """What changes from left to right is in the first band, from top to bottom in the second."""
    across = (torch.arange(32) % 2).float().expand(1, 1, 32, -1)
    for low, band in ((across, 0), (across.transpose(2, 3), 1)):
        energy = split(low)[1].square().sum((0, 2, 3))
        assert energy[band] > 0.99 * energy.sum() > 1


def test_its_filters_are_the_9_and_7_taps_of_antonini_et_al() -> None:
    """An impulse in a band makes the outer product of two synthesis filters."""
    low7 = [-0.091271763114, -0.057543526229, 0.591271763114, 1.11508705, 0.591271763114, -0.057543526229]
    detail = torch.zeros(1, 3, 32, 32)
    detail[0, 0, 16, 16] = 1
    picture = merge(torch.zeros(1, 1, 32, 32), detail)[0, 0]
    profile = picture[:, int(picture.abs().amax(0).argmax())]
    profile = profile / profile.abs().max()
    top = int(profile.abs().argmax())
    expected = torch.tensor([*low7, -0.091271763114]) / 1.11508705
    torch.testing.assert_close(profile[top - 3 : top + 4], expected * profile[top].sign(), atol=1e-5, rtol=0)


def test_it_is_nearly_orthonormal() -> None:
    """White noise keeps its energy in every band, and an error in a coefficient is about that error in the picture."""
    low, detail = split(noise(512, 512))
    for band in (low, *detail.split(1, 1)):
        assert 0.9 < float(band.square().mean()) < 1.15
    for band in range(3):
        wrong = torch.zeros(1, 3, 128, 128)
        wrong[:, band : band + 1] = noise(128, 128)
        gain = merge(torch.zeros(1, 1, 128, 128), wrong).square().sum() / wrong.square().sum()
        assert 0.9 < float(gain) < 1.15
