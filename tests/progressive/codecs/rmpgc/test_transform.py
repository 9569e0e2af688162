from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc import wavelet
from progressive.codecs.rmpgc.layout import CHANNELS, LUMA, SCALES, STRIDES
from progressive.codecs.rmpgc.transform import Transform
from progressive.photos import sample_photo

PHOTO = torch.from_numpy(sample_photo("astronaut")[:128, 64:256].copy()).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="module", autouse=True)
def _without_gradients() -> object:
    with torch.inference_mode():
        yield


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


def test_random_filters_are_undone_exactly(drawn: Transform) -> None:
    photos = smooth_colours(torch.cat([PHOTO, PHOTO.flip(3)]))
    latent = drawn.analyse(photos)
    apart = [float((a - b).abs().max()) for a, b in zip(latent, wavelet_latent(photos), strict=True)]
    assert min(apart) > 0.01
    torch.testing.assert_close(drawn.synthesise(latent), photos, atol=1e-4, rtol=0)


def test_an_untrained_transform_is_the_wavelet() -> None:
    transform = Transform()
    latent = wavelet_latent(PHOTO)
    for found, expected in zip(transform.analyse(PHOTO), latent, strict=True):
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(transform.synthesise(latent), smooth_colours(PHOTO), atol=1e-5, rtol=0)


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
    """At most 2.7 billion multiplications each way for 768x512 pixels, the wavelet's apart."""
    counted = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, nn.Conv2d)
        counted += output.numel() * layer.weight[0].numel()

    transform = Transform()
    transform.load_state_dict(drawn.state_dict())
    for layer in transform.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    latent = transform.analyse(PHOTO)
    assert 1e9 < counted * 16 <= 2.7e9
    counted = 0
    transform.synthesise(latent)
    assert 1e9 < counted * 16 <= 2.7e9
