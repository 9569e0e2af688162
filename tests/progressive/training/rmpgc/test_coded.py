"""Photos and crops as a receiver has them, in any condition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.renderer import Renderer
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS, LEVELS, SCALES, layout_of
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import MISSING, state_of
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.photos import sample_photo
from progressive.training.rmpgc import coded as coded_module
from progressive.training.rmpgc.coded import AT_ONCE, CodedPhoto, CodedPool, coded

PHOTO = sample_photo("chelsea")[50:178, 60:188].copy()
"""Two rows of two blocks."""


def as_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)


@pytest.fixture(scope="module")
def known() -> CodedPhoto:
    model = frozen_model()
    return coded([as_tensor(PHOTO)], model.coding, model.analyse)[0]


def everywhere(state: int) -> Tensor:
    return torch.full((2, 2), state)


def test_it_is_what_a_decoder_has_when_everything_has_come(known: CodedPhoto) -> None:
    model = frozen_model()
    codec, layout = Rmpgc(model), layout_of(128, 128)
    stream = codec.encode(PHOTO)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    theirs = Renderer(model, "cpu")._values(layout, decoder._tiles, layout.window(0))
    ours = known.at(everywhere(state_of(SCALES, LEVELS)))
    apart = torch.cat([(a - b).abs().flatten() for a, b in zip(ours, theirs, strict=True)])
    assert float((apart > 0.02).float().mean()) < 0.01


def test_blocks_have_the_values_of_their_levels(known: CodedPhoto) -> None:
    levels = [3, 0, LEVELS, 7]
    states = torch.tensor([state_of(SCALES, level) for level in levels]).view(2, 2)
    for scale, found in enumerate(known.at(states)):
        side = BLOCK_SIDES[scale]
        for block, level in enumerate(levels):
            top, left = block // 2 * side, block % 2 * side
            expected = known.values[level][scale][block].float()
            assert torch.equal(found[0, :, top : top + side, left : left + side], expected)


def test_scales_that_are_missing_are_zero_and_the_others_are_those_of_the_base(known: CodedPhoto) -> None:
    base = known.at(everywhere(state_of(SCALES, 0)))
    for scales in range(SCALES + 1):
        found = known.at(everywhere(state_of(scales, 0)))
        for scale, (values, expected) in enumerate(zip(found, base, strict=True)):
            assert expected.any()
            assert torch.equal(values, expected if scale < scales else torch.zeros_like(expected))
    assert not any(v.any() for v in known.at(everywhere(MISSING)))


def test_photos_that_are_coded_side_by_side_are_each_their_own() -> None:
    """Cut to whole blocks, in their own colours, nearer to themselves than to each other."""
    model = frozen_model()
    photos = [as_tensor(sample_photo(name)[20:150, 60:130].copy()) for name in ("coffee", "astronaut")]
    found = coded(photos, model.coding, model.analyse)
    latents = []
    for photo, one in zip(photos, found, strict=True):
        assert torch.equal(one.photo, photo[:, :128, :64])
        assert one.colours == Colours.of(photo.permute(1, 2, 0).numpy())
        assert len(one.values) == LEVELS + 1
        shapes = [(2, c, s, s) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]
        assert all([tuple(v.shape) for v in values] == shapes for values in one.values)
        with torch.inference_mode():
            latents.append(model.analyse(one.colours.turned(one.photo[None].float() / 255)))
    for one, own, other in zip(found, latents, reversed(latents), strict=True):
        values = one.at(torch.full((2, 1), state_of(SCALES, LEVELS)))
        error, beside = (
            sum(float((a - b).square().sum()) for a, b in zip(values, latent, strict=True)) for latent in (own, other)
        )
        assert error < 0.1 * beside


def test_a_pool_codes_crops_together_when_one_is_first_drawn_and_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Tensor]] = []

    def remembered(crops: list[Tensor], *_: object) -> list[CodedPhoto]:
        seen.append(crops)
        return [CodedPhoto(crop, Colours(), []) for crop in crops]

    monkeypatch.setattr(coded_module, "coded", remembered)
    count, model = AT_ONCE + 3, frozen_model()
    ramp = torch.arange(3 * BLOCK).expand(3, 2 * BLOCK, -1)
    photos = [ramp, 1000 + torch.zeros(3, BLOCK, BLOCK, dtype=torch.long)]

    def pool(seed: int) -> CodedPool:
        return CodedPool(photos, count, BLOCK, model.coding, model.analyse, seed)

    drawn = pool(0).draw(np.random.default_rng(0), 200)
    assert sorted(len(crops) for crops in seen) == [3, AT_ONCE]
    crops = {int(c.photo[0, 0, 0]) for c in drawn}
    assert all(c.photo.shape == (3, BLOCK, BLOCK) for c in drawn)
    assert 1000 in crops
    assert len(crops) > 4
    assert max(crops - {1000}) <= 2 * BLOCK
    seen.clear()
    again = {int(c.photo[0, 0, 0]) for c in pool(0).draw(np.random.default_rng(1), 200)}
    other = {int(c.photo[0, 0, 0]) for c in pool(1).draw(np.random.default_rng(1), 200)}
    assert again == crops != other
