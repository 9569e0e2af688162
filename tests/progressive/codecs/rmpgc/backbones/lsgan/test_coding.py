"""Levels survive the coder in every variant; what a position sees is known before it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_lsgan import frozen_model

from progressive.codecs.rmpgc.backbones.lsgan.coding import TableCoding
from progressive.codecs.rmpgc.backbones.lsgan.contexts import SHAPES, TABLE, passes, rows_of
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import REACH
from progressive.codecs.rmpgc.backbones.lsgan.variants import SIDE, VARIANTS
from progressive.codecs.rmpgc.backbones.masked.latent import Layer
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.errors import BitstreamError
from progressive.exact.coders import CostMeter, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.tables import FrequencyTable

ROWS, COLUMNS = 2, 3


def drawn(coding: TableCoding, seed: int = 0) -> list[Layer]:
    """Levels of a tile, smooth enough to have contexts."""
    rng = np.random.default_rng(seed)
    layers = []
    for shape in coding.shapes:
        parts = []
        for channels, side in shape:
            walk = rng.normal(0, 0.5, (1, channels, ROWS * side, COLUMNS * side)).cumsum(3)
            parts.append(torch.from_numpy(walk.round().clip(-REACH, REACH).astype(np.int16)))
        layers.append(parts)
    return layers


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_survive_the_coder(variant: str) -> None:
    coding = frozen_model(variant).coding
    layers = drawn(coding)
    last = len(layers) - 1
    for number, layer in enumerate(layers):
        known = [list(each) for each in layers[:number]]
        wanted, items, rows, columns = layer, 1, ROWS, COLUMNS
        if number == last:
            known = [[to_blocks(part, SIDE) for part in each] for each in known]
            wanted, items, rows, columns = [to_blocks(part, SIDE) for part in layer], ROWS * COLUMNS, 1, 1
        encoder = RangeSymbolEncoder(coding.tables)
        written = coding.code(encoder, number, known, items, rows, columns, wanted)
        decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes())
        read = coding.code(decoder, number, known, items, rows, columns, None)
        decoder.finish()
        for own, true, other in zip(read, wanted, written, strict=True):
            assert torch.equal(own, true)
            assert torch.equal(other, true)


def test_passes_code_every_position_once() -> None:
    times = np.zeros((3 * SIDE, 2 * SIDE), int)
    for place in passes():
        times[place.grid] += 1
    assert (times == 1).all()


def test_a_position_sees_nothing_that_is_coded_later() -> None:
    """A decoder knows zeros where the encoder knows the truth: rows must be the same."""
    rng = np.random.default_rng(1)
    truth = rng.integers(-REACH, REACH + 1, (2, 2 * SIDE, SIDE)).astype(np.int32)
    busy = rng.integers(0, 9, truth.shape).astype(np.int32)
    known = np.zeros_like(truth)
    for place in passes():
        assert np.array_equal(rows_of(place, 3, known, busy), rows_of(place, 3, truth, busy))
        known[:, *place.grid] = truth[:, *place.grid]
    largest = max(int(rows_of(place, 8, truth, busy).max()) for place in passes())
    assert largest < SHAPES[TABLE][0]


def test_an_item_is_coded_as_if_it_were_alone() -> None:
    coding = frozen_model().coding
    layers = [[to_blocks(part, SIDE) for part in layer] for layer in drawn(coding)]
    enhance = layers[-1]
    together = CostMeter(coding.tables, ROWS * COLUMNS)
    coding.code(together, 2, layers[:2], ROWS * COLUMNS, 1, 1, enhance)
    for block in range(ROWS * COLUMNS):
        alone = CostMeter(coding.tables, 1)
        known = [[part[block : block + 1] for part in layer] for layer in layers[:2]]
        coding.code(alone, 2, known, 1, 1, 1, [part[block : block + 1] for part in enhance])
        assert alone.bits[0] == pytest.approx(together.bits[block])


def test_bytes_that_no_encoder_wrote_are_told() -> None:
    coding = frozen_model().coding
    encoder = RangeSymbolEncoder(coding.tables)
    coding.code(encoder, 0, [], 1, ROWS, COLUMNS, drawn(coding)[0])
    decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes() + b"\1")
    coding.code(decoder, 0, [], 1, ROWS, COLUMNS, None)
    with pytest.raises(BitstreamError):
        decoder.finish()


def test_a_table_of_another_shape_is_refused() -> None:
    table = FrequencyTable(np.full((4, 4), 4096))
    with pytest.raises(ValueError, match="another shape"):
        TableCoding(VARIANTS["rmpgc"], {TABLE: table})
