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
    return coded(as_tensor(PHOTO), model.coding, model.transform)


def everywhere(state: int) -> Tensor:
    return torch.full((2, 2), state)


def test_a_photo_is_cut_to_whole_blocks_and_has_values_and_bits_of_every_level(known: CodedPhoto) -> None:
    assert torch.equal(known.photo, as_tensor(PHOTO)[:, :128, :128])
    assert len(known.values) == LEVELS + 1
    for values in known.values:
        assert [tuple(v.shape) for v in values] == [(4, c, s, s) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]
    assert len(known.bits) == LEVELS
    assert min(known.bits) > 0


def test_it_is_what_a_decoder_has_when_everything_has_come(known: CodedPhoto) -> None:
    model = frozen_model()
    codec = Rmpgc(model)
    stream = codec.encode(PHOTO[:128, :128])
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    window = WHOLE.window(0)
    theirs = Renderer(model, "cpu")._values(WHOLE, decoder._tiles, window)
    ours = known.at(everywhere(state_of(SCALES, LEVELS)), 0, 0)
    apart = torch.cat([(a - b).abs().flatten() for a, b in zip(ours, theirs, strict=True)])
    assert float((apart > 0.02).float().mean()) < 0.01


def test_blocks_have_the_values_of_their_levels(known: CodedPhoto) -> None:
    levels = [3, 0, LEVELS, 7]
    states = torch.tensor([state_of(SCALES, level) for level in levels]).view(2, 2)
    for scale, found in enumerate(known.at(states, 0, 0)):
        side = BLOCK_SIDES[scale]
        for block, level in enumerate(levels):
            top, left = block // 2 * side, block % 2 * side
            expected = known.values[level][scale][block].float()
            assert torch.equal(found[0, :, top : top + side, left : left + side], expected)


def test_scales_that_are_missing_are_zero_and_the_others_are_those_of_the_base(known: CodedPhoto) -> None:
    base = known.at(everywhere(state_of(SCALES, 0)), 0, 0)
    for scales in range(SCALES + 1):
        found = known.at(everywhere(state_of(scales, 0)), 0, 0)
        for scale, (values, expected) in enumerate(zip(found, base, strict=True)):
            assert expected.any()
            assert torch.equal(values, expected if scale < scales else torch.zeros_like(expected))
    assert not any(v.any() for v in known.at(everywhere(MISSING), 0, 0))


def test_a_crop_is_a_part_of_the_whole(known: CodedPhoto) -> None:
    states = everywhere(state_of(SCALES, 4))
    for whole, part, side in zip(known.at(states, 0, 0), known.at(states[:1, :1], 1, 1), BLOCK_SIDES, strict=True):
        assert torch.equal(part, whole[:, :, side:, side:])


def test_a_pool_codes_a_photo_when_it_is_first_drawn_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from progressive.training import rmpgc_coded

    seen: list[Tensor] = []

    def remembered(photo: Tensor, *_: object) -> CodedPhoto:
        seen.append(photo)
        return CodedPhoto(photo, None, [], [])  # type: ignore[arg-type]

    monkeypatch.setattr(rmpgc_coded, "coded", remembered)
    photos = [torch.zeros(3, 2 * BLOCK, 3 * BLOCK), torch.ones(3, BLOCK, BLOCK)]
    model = frozen_model()
    pool = CodedPool(photos, model.coding, model.transform)
    drawn = pool.draw(np.random.default_rng(0), 60, BLOCK)
    assert len(seen) == 2
    places = {(int(c.photo[0, 0, 0]), top, left) for c, top, left in drawn}
    assert places == {(0, top, left) for top in range(2) for left in range(3)} | {(1, 0, 0)}
