"""A photo's own colour axes: rotations, that gather its detail and travel in three bytes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.container import cut
from progressive.errors import BitstreamError
from progressive.metrics import psnr

A_BYTE = st.integers(-128, 127)


def red_and_blue(rng: np.random.Generator) -> np.ndarray:
    """Detail in red, and some in blue; hardly any in green."""
    coarse = rng.normal(0, (40, 2, 12), (16, 16, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse + 128, 0, 255).astype(np.uint8)


def as_tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


@settings(deadline=None)
@given(st.tuples(A_BYTE, A_BYTE, A_BYTE))
def test_any_three_bytes_are_a_rotation(turn):
    colours = Colours.from_bytes(Colours(turn).to_bytes())
    assert colours.turn == turn
    axes = colours.turned(torch.eye(3).view(3, 3, 1, 1) + 0.5)[:, :, 0, 0] - 0.5
    torch.testing.assert_close(axes @ axes.T, torch.eye(3))
    assert torch.linalg.det(axes) == pytest.approx(1, abs=1e-5)


def test_what_is_turned_can_be_restored():
    photos, colours = torch.rand(2, 3, 4, 5), Colours((60, -20, 33))
    assert (colours.turned(photos) - photos).abs().max() > 0.1
    torch.testing.assert_close(colours.restored(colours.turned(photos)), photos)


def test_detail_gathers_in_luma_and_leaves_one_colour():
    """A photo that varies along red and blue alone needs two axes; the usual ones spread it over three."""
    photo = red_and_blue(np.random.default_rng(0))

    @torch.inference_mode()
    def energies(colours: Colours) -> np.ndarray:
        latent = Transform().analyse(colours.turned(as_tensor(photo)))
        by_colour = torch.unflatten(latent[5], 1, (3, 3)).square().sum((0, 2, 3, 4))
        return (by_colour / by_colour.sum()).numpy()

    own, usual = energies(Colours.of(photo)), energies(Colours())
    assert own[0] > 0.85 > 0.5 > usual[0]
    assert own[2] < 0.03 < 0.15 < usual[2]


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (15, 8), (64, 64)])
def test_photos_without_detail_keep_the_usual_colours(shape):
    assert Colours.of(np.full((*shape, 3), 200, np.uint8)) == Colours()


def test_grey_photos_keep_grey_as_luma():
    grey = data.camera()[:, :, None].repeat(3, 2)
    turned = Colours.of(grey).turned(as_tensor(grey)) - 0.5
    assert (turned - turned.mean(1, keepdim=True)).abs().max() < 0.02


def test_large_photos_are_sampled_and_say_the_same():
    photo = data.coffee()[:400, :592]
    large = np.tile(photo, (4, 4, 1))
    assert np.abs(np.subtract(Colours.of(large).turn, Colours.of(photo).turn)).max() <= 4


def test_own_colours_help_a_colourful_photo(codec: Rmpgc, monkeypatch):
    photo = red_and_blue(np.random.default_rng(1))

    def quality() -> float:
        stream = cut(codec.encode(photo, max_payload=300), 1200)
        decoder = codec.decoder(stream.header)
        for segment in stream.segments:
            decoder.push(segment.id, segment.payload)
        return psnr(photo, decoder.picture())

    own = quality()
    monkeypatch.setattr(Colours, "of", classmethod(lambda cls, _photo: cls()))
    assert own > quality() + 0.5


@pytest.mark.parametrize("size", [0, 2, 4])
def test_another_number_of_bytes_is_damage(size):
    with pytest.raises(BitstreamError, match="colours take 3 bytes"):
        Colours.from_bytes(bytes(size))
