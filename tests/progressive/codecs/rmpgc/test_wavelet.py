from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.layout import CHANNELS, LUMA, STRIDES
from progressive.codecs.rmpgc.wavelet import COLOURS, analyse, synthesise


def noise(height: int, width: int, *, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def opponent(photos: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", COLOURS, photos)


@pytest.mark.parametrize("size", [(64, 64), (64, 192), (256, 64), (128, 320), (192, 256)])
def test_luma_comes_back_and_chroma_without_its_finest_bands(size: tuple[int, int]) -> None:
    photos = noise(*size, count=2)
    found, expected = opponent(synthesise(analyse(photos))), opponent(photos)
    torch.testing.assert_close(found[:, 0], expected[:, 0], atol=1e-5, rtol=0)
    smooth = torch.nn.functional.interpolate(photos[:, :, ::8, ::8], scale_factor=8, mode="bicubic")
    torch.testing.assert_close(synthesise(analyse(smooth)), smooth, atol=2e-2, rtol=0)


def test_the_latent_has_the_layout_s_shapes() -> None:
    latent = analyse(noise(128, 192, count=2))
    assert [tuple(y.shape) for y in latent] == [
        (2, channels, 128 // stride, 192 // stride) for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def test_a_grey_photo_has_luma_alone_and_a_flat_one_its_mean_alone() -> None:
    grey = noise(64, 128)[:, :1].expand(-1, 3, -1, -1)
    for y, luma in zip(analyse(grey), LUMA, strict=True):
        assert y[:, luma:].abs().max() < 1e-4
    flat = analyse(torch.full((1, 3, 128, 64), 0.75))
    mean = 0.25 * 3**0.5 * 64
    torch.testing.assert_close(flat[0][:, 0], torch.full((1, 2, 1), mean), atol=1e-3, rtol=0)
    assert max(flat[0][:, 1:].abs().max(), *(y.abs().max() for y in flat[1:])) < 1e-3


def test_its_filters_are_the_9_and_7_taps_of_antonini_et_al() -> None:
    """An impulse in a band makes the outer product of two synthesis filters."""
    low7 = [-0.091271763114, -0.057543526229, 0.591271763114, 1.11508705, 0.591271763114, -0.057543526229]
    latent = [torch.zeros(1, c, 256 // stride, 256 // stride) for c, stride in zip(CHANNELS, STRIDES, strict=True)]
    grey = synthesise(latent)
    latent[4][0, 3, 32, 32] = 1  # the finest luma band that is high-pass along rows
    luma = opponent(synthesise(latent) - grey)[0, 0]
    along_columns = luma[:, int(luma.abs().amax(0).argmax())]
    profile = along_columns / along_columns.abs().max()
    top = int(profile.abs().argmax())
    expected = torch.tensor([*low7, -0.091271763114]) / 1.11508705
    torch.testing.assert_close(profile[top - 3 : top + 4], expected * profile[top].sign(), atol=1e-5, rtol=0)


def test_it_is_nearly_orthonormal() -> None:
    """White noise keeps its energy in every band, and an error in a coefficient is about that error in the picture."""
    random = torch.Generator().manual_seed(1)
    for y in analyse(torch.randn(8, 3, 512, 512, generator=random))[1:]:
        energy = y.square().mean((0, 2, 3))
        assert 0.9 < float(energy.min()) < float(energy.max()) < 1.3
    nothing = [torch.zeros(1, c, 512 // stride, 512 // stride) for c, stride in zip(CHANNELS, STRIDES, strict=True)]
    grey = synthesise(nothing)
    for scale in range(1, len(STRIDES)):
        wrong = [y.clone() for y in nothing]
        wrong[scale] = torch.randn(nothing[scale].shape, generator=random)
        gain = (synthesise(wrong) - grey).square().sum() / wrong[scale].square().sum()
        assert 0.9 < float(gain) < 1.3


def test_photos_of_a_batch_do_not_mix() -> None:
    photos = noise(64, 64, count=3)
    for together, alone in zip(analyse(photos), analyse(photos[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone)
