"""Photos as a receiver has them, in any condition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model
from torch import Tensor

from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK, BLOCK_SIDES, CHANNELS, LEVELS, SCALES, Layout
from progressive.codecs.rmpgc.renderer import Renderer
from progressive.codecs.rmpgc.synthesis import MISSING, state_of
from progressive.photos import sample_photo
from progressive.training.rmpgc_coded import CodedPhoto, CodedPool, coded

PHOTO = sample_photo("chelsea")[50:190, 60:200].copy()
"""Two rows of two blocks, and a little more."""

WHOLE = Layout(128, 128)


def as_tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)


@pytest.fixture(scope="module")
def known() -> CodedPhoto:
    model = frozen_model()
    return coded([as_tensor(PHOTO)], model.coding, model.transform)[0]


def everywhere(state: int) -> Tensor:
    return torch.full((2, 2), state)


def test_a_photo_is_cut_to_whole_blocks_and_has_values_of_every_level(known: CodedPhoto) -> None:
    assert torch.equal(known.photo, as_tensor(PHOTO)[:, :128, :128])
    assert len(known.values) == LEVELS + 1
    for values in known.values:
        assert [tuple(v.shape) for v in values] == [(4, c, s, s) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]


def test_it_is_what_a_decoder_has_when_everything_has_come(known: CodedPhoto) -> None:
    model = frozen_model()
    codec = Rmpgc(model)
    stream = codec.encode(PHOTO[:128, :128])
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    window = WHOLE.window(0)
    theirs = Renderer(model, "cpu")._values(WHOLE, decoder._tiles, window)
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


def test_photos_side_by_side_are_read_as_they_are_alone(known: CodedPhoto) -> None:
    """Their blocks lie where they are; only what the base's networks see beyond a border is another."""
    model = frozen_model()
    other = as_tensor(PHOTO).flip(2)
    first, second = coded([as_tensor(PHOTO), other], model.coding, model.transform)
    assert torch.equal(second.photo, other[:, :128, :128])
    full = everywhere(state_of(SCALES, LEVELS))
    for ours, alone in zip(first.at(full), known.at(full), strict=True):
        assert float((ours - alone).abs().mean()) < 0.1 * float(alone.abs().mean()) + 0.01
    assert any(not torch.equal(a, b) for a, b in zip(first.at(full), second.at(full), strict=True))


def test_a_pool_codes_a_crop_when_it_is_first_drawn_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from progressive.training import rmpgc_coded

    seen: list[Tensor] = []

    def remembered(photos: list[Tensor], *_: object) -> list[CodedPhoto]:
        seen.extend(photos)
        return [CodedPhoto(photo, None, []) for photo in photos]  # type: ignore[arg-type]

    monkeypatch.setattr(rmpgc_coded, "coded", remembered)
    photos = [torch.rand(3, 2 * BLOCK, 3 * BLOCK), torch.rand(3, BLOCK, BLOCK)]
    model = frozen_model()
    pool = CodedPool(photos, 20, BLOCK, model.coding, model.transform, seed=1)
    drawn = pool.draw(np.random.default_rng(0), 200)
    assert len(seen) == 20
    assert {tuple(c.photo.shape) for c in drawn} == {(3, BLOCK, BLOCK)}
    assert len({float(c.photo.sum()) for c in drawn}) == 11  # ten places in the first photo, the second itself
