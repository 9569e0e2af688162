"""The order of sending is the paper's: blocks by I, of which a rate keeps the first (RMPGC Eq. 12 and 13)."""

from __future__ import annotations

import numpy as np
import pytest
from frozen_lsgan import frozen_model

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.backbones.masked.allocation import complexity_of, importance_of_blocks
from progressive.codecs.rmpgc.backbones.masked.encoder import LEAST_GAIN, MaskedTile
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.photos import sample_photo
from progressive.semantics.complexity import latent_complexity

CONTEXTS = ("reconstruct", "hybrid", "classify")


@pytest.fixture(scope="module")
def codec() -> Rmpgc:
    return Rmpgc(Lsgan(frozen_model()))


@pytest.fixture(scope="module")
def photo() -> Photo:
    return sample_photo("chelsea")[20:276, 60:444].copy()


@pytest.fixture(scope="module")
def coded(codec: Rmpgc, photo: Photo) -> CodedPhoto:
    return codec.analyse(photo)


def importance(coded: CodedPhoto, context: str) -> np.ndarray:
    tiles = [tile for tile in coded.coded.tiles if isinstance(tile, MaskedTile)]
    lcm = complexity_of(tiles, coded.layout, 8)
    return importance_of_blocks(lcm, None if context == "reconstruct" else coded.importance, 8, context)


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_rate_keeps_the_most_important_blocks(codec: Rmpgc, photo: Photo, context: str) -> None:
    """At every cut what is enhanced is the mask of as many of the largest values of I (Eq. 13), calm parts and all.

    But for packets of a few bytes more for the same symbols.
    """
    calm = photo.copy()
    calm[:128, :192] = 120
    coded = codec.analyse(calm)
    stream = codec.rank(coded, max_payload=2 * codec.traits.smallest_payload, context=context)
    wanted = importance(coded, context)
    decoder = codec.decoder(stream.header)
    assert isinstance(decoder, RmpgcDecoder)
    steps = []
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
        if not decoder.status.base_complete:
            continue
        sent = decoder._tiles[0].levels.reshape(wanted.shape) > 0
        assert not sent.any() or wanted[sent].min() >= 0.9 * wanted[~sent].max(initial=0)
        steps.append(int(sent.sum()))
    assert steps[-1] == wanted.size
    assert len(set(steps)) > 8


def test_what_is_sent_is_worth_what_it_gains(codec: Rmpgc, photo: Photo) -> None:
    """The base and all blocks together, whatever the context; nothing is worth less than nothing."""
    flat = np.full((128, 192, 3), 128, np.uint8)
    for shown in (photo, flat):
        coded = codec.analyse(shown)
        tile = coded.coded.tiles[0]
        for context in CONTEXTS:
            segments = codec.rank(coded, context=context).segments
            worth = [sum(s.utility for s in segments if (s.layer > 0) == enhance) for enhance in (False, True)]
            assert min(s.utility for s in segments) >= 0
            assert worth[0] == pytest.approx(tile.base_gains.sum(), rel=0.01)
            assert worth[1] == pytest.approx(tile.gains.sum(), rel=0.01)


def test_contexts_differ_where_meaning_and_complexity_do(coded: CodedPhoto) -> None:
    orders = {context: tuple(np.argsort(-importance(coded, context).ravel())) for context in CONTEXTS}
    assert len(set(orders.values())) == len(CONTEXTS)


def test_complexity_is_the_variance_of_the_channels(codec: Rmpgc, coded: CodedPhoto, photo: Photo) -> None:
    tile = coded.coded.tiles[0]
    assert isinstance(tile, MaskedTile)
    assert tile.complexity.shape == (tile.window.height * 8, tile.window.width * 8)
    decoder = codec.decoder(codec.rank(coded).header)
    for segment in codec.rank(coded).segments:
        decoder.push(segment.id, segment.payload)
    assert isinstance(decoder, RmpgcDecoder)
    state = decoder._tiles[0]
    latent = np.concatenate([part[0].numpy() for layer in state.base for part in layer])  # type: ignore[attr-defined]
    own = latent_complexity(np.concatenate([latent, _tile_of(state.enhance[0].numpy(), tile)]))  # type: ignore[attr-defined]
    assert np.allclose(own, tile.complexity)


def _tile_of(blocks: np.ndarray, tile: MaskedTile) -> np.ndarray:
    height, width = tile.window.height, tile.window.width
    return blocks.reshape(height, width, -1, 8, 8).transpose(2, 0, 3, 1, 4).reshape(-1, height * 8, width * 8)


def test_the_base_alone_shows_a_picture_and_blocks_add_to_it(codec: Rmpgc, coded: CodedPhoto, photo: Photo) -> None:
    stream = codec.rank(coded, max_payload=400)
    decoder = codec.decoder(stream.header)
    base = [segment for segment in stream.segments if segment.layer == 0]
    decoder.push_all((segment.id, segment.payload) for segment in base)
    assert decoder.status.base_complete
    errors = [float(np.square(decoder.picture().astype(float) - photo).mean())]
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
    errors.append(float(np.square(decoder.picture().astype(float) - photo).mean()))
    assert errors[1] < 0.9 * errors[0]


def test_what_a_block_gains_is_measured_in_pictures(codec: Rmpgc, coded: CodedPhoto, photo: Photo) -> None:
    stream = codec.rank(coded)
    tile = coded.coded.tiles[0]
    pictures = []
    for kept in (stream.segments[: sum(s.layer == 0 for s in stream.segments)], stream.segments):
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in kept)
        pictures.append(np.square(decoder.picture().astype(float) - photo).sum())
    assert tile.gains.min() > LEAST_GAIN
    assert tile.gains.sum() == pytest.approx(pictures[0] - pictures[1], rel=1e-3)
