from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale import transform
from progressive.codecs.rmpgc.backbones.multiscale.scales import CHANNELS, LUMA, SCALES, STRIDES
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.photos import sample_photo
from progressive.transforms import wavelet

PHOTO = torch.from_numpy(sample_photo("astronaut")[:128, 64:256].copy()).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="module")
def drawn() -> Transform:
    """Random filters that change coefficients a lot."""
    torch.manual_seed(0)
    made = Transform()
    for name, weight in made.named_parameters():
        if name.endswith("filters.weight"):
            nn.init.normal_(weight, std=0.02)
    return made.requires_grad_(False)


def smooth_colours(photos: Tensor) -> Tensor:
    """Without the finest detail of the opponent colours, which the latent does not hold."""
    colours = wavelet.to_opponent(photos)
    for each in (1, 2):
        low, detail = wavelet.split(colours[:, each : each + 1])
        colours[:, each : each + 1] = wavelet.merge(low, torch.zeros_like(detail))
    return wavelet.to_rgb(colours)


def wavelet_latent(photo: Tensor) -> list[Tensor]:
    lows, scales = list(wavelet.to_opponent(photo).split(1, 1)), []
    for level in range(SCALES - 1):
        bands = [wavelet.split(low) for low in lows]
        lows = [low for low, _ in bands]
        scales.insert(0, torch.cat([detail for _, detail in (bands if level else bands[:1])], 1))
    return [torch.cat(lows, 1), *scales]


@torch.no_grad()
def lifted_and_back(transform: Transform, photos: Tensor) -> Tensor:
    """What comes back differs by so much; fails where the steps change hardly anything."""
    latent = transform.analyse(photos)
    apart = [float((a - b).abs().max()) for a, b in zip(latent, wavelet_latent(photos), strict=True)]
    assert min(apart) > 0.01
    return transform.synthesise(latent) - photos


def test_random_filters_are_undone_exactly(drawn: Transform, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = smooth_colours(torch.cat([PHOTO, PHOTO.flip(3)]))
    monkeypatch.setattr(transform, "fast_floats", lambda _: nullcontext())
    assert lifted_and_back(drawn, photos).abs().max() < 1e-4


def test_where_floats_are_short_they_are_undone_to_a_part_of_a_grey_level(drawn: Transform) -> None:
    left = 255 * lifted_and_back(drawn, smooth_colours(PHOTO))
    assert left.abs().max() < 1
    assert left.square().mean() < 0.01


@torch.inference_mode()
def test_the_codec_computes_nearly_what_was_trained(drawn: Transform) -> None:
    with torch.inference_mode(False):
        trained = drawn.analyse(PHOTO)
    for found, expected in zip(drawn.analyse(PHOTO), trained, strict=True):
        assert float((found - expected).square().mean()) < 1e-4 * float(expected.square().mean()) + 1e-6


@torch.no_grad()
def test_an_untrained_transform_is_the_wavelet() -> None:
    untrained = Transform()
    latent = wavelet_latent(PHOTO)
    for found, expected in zip(untrained.analyse(PHOTO), latent, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(untrained.synthesise(latent), smooth_colours(PHOTO), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (64, 192), (256, 64)])
def test_the_latent_has_the_layout_s_shapes(drawn: Transform, size: tuple[int, int]) -> None:
    latent = drawn.analyse(torch.rand(2, 3, *size))
    assert [tuple(y.shape) for y in latent] == [
        (2, channels, size[0] // stride, size[1] // stride) for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    assert drawn.synthesise(latent).shape == (2, 3, *size)


def test_luma_is_alike_in_any_colours_and_grey_stays_grey(drawn: Transform) -> None:
    """The opponent colours' steps see luma; those of luma see nothing else."""
    grey = PHOTO.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    for coloured, plain, luma in zip(drawn.analyse(PHOTO), drawn.analyse(grey), LUMA, strict=True):
        torch.testing.assert_close(coloured[:, :luma], plain[:, :luma], atol=1e-3, rtol=0)
    flat = drawn.analyse(torch.full((1, 3, 128, 64), 0.75))
    torch.testing.assert_close(flat[0][:, :1].mean(), torch.tensor(0.25 * 3**0.5 * 64), atol=8, rtol=0)


def test_photos_of_a_batch_do_not_mix(drawn: Transform) -> None:
    photos = torch.cat([PHOTO, 1 - PHOTO, PHOTO.flip(2)])
    for together, alone in zip(drawn.analyse(photos), drawn.analyse(photos[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=0)


def test_it_costs_what_it_says(drawn: Transform) -> None:
    """At most 3.1 billion multiplications each way for 768x512 pixels, the wavelet's apart."""
    counted = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d)
        counted += output.numel() * layer.weight[0].numel()

    made = Transform()
    made.load_state_dict(drawn.state_dict())
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    latent = made.analyse(PHOTO)
    assert 1e9 < counted * 16 <= 3.1e9
    counted = 0
    made.synthesise(latent)
    assert 1e9 < counted * 16 <= 3.1e9
