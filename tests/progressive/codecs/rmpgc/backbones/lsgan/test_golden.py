"""The bitstream must not change: a frozen model and levels made of integers give these bytes and these levels.

A change of any figure is a change of format: raise the codec's number, then run the test once with REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_lsgan import frozen_model
from skimage import data

from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.backbones.lsgan.model import Model
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import REACH
from progressive.codecs.rmpgc.backbones.lsgan.variants import SIDE, VARIANTS
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped
from progressive.codecs.rmpgc.backbones.masked.tile import TileState
from progressive.codecs.rmpgc.blocks import from_blocks, to_blocks
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.codecs.rmpgc.layout import Layout
from progressive.codecs.rmpgc.segments import BASE, RUN, Contents
from progressive.container import stream_to_bytes
from progressive.exact.records import Recorder, encoded
from progressive.stream import LayeredStream, Segment, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
NUMBER = 6
"""The codec's, in stream headers."""

SIZE = (310, 250)
RUNS = ((0, 7), (7, 1), (8, 12))


def frozen_layers(model: Model, layout: Layout) -> list[Layer]:
    """Differences of neighbouring pixels, in levels."""
    pixels = data.chelsea()[40:296, 60:381, 1].astype(np.int64)
    differences = (np.diff(pixels, axis=1).ravel() // 3).clip(-REACH, REACH)
    layers, first = [], 0
    for ((channels, side),) in model.coding.shapes:
        shape = (1, channels, layout.rows * side, layout.columns * side)
        own = np.resize(differences[first:], shape).astype(np.int16)
        layers.append([torch.from_numpy(own)])
        first += 777
    return layers


def frozen_stream(model: Model) -> LayeredStream:
    """Blocks in fixed runs: nothing that an encoder is free to choose."""
    layout = Layout(*SIZE, Lsgan(model).depth)
    layers, tables = frozen_layers(model, layout), model.coding.tables
    state = TileState(layout.rows, layout.columns, model.coding)
    stages = [Recorder() for _ in layers[:-1]]
    for record in stages:
        state.keep_stages(state.code_stages(record, 1, layers))
    enhance, blocks = Recorder(), list(range(layout.rows * layout.columns))
    state.code_level(enhance, 1, blocks, mapped(layers[-1:], model.coding.shapes[-1:], to_blocks)[0])
    run = layout.depth.runs.index((0, len(stages) - 1))
    contents = [Contents(BASE, encoded(stages, tables), 0, run)]
    for first, count in RUNS:
        code = enhance.encoded_blocks(tables, sorted(state.by_activity[first : first + count]))
        contents.append(Contents(RUN, bytes([first, count]) + code, reference=1))
    segments = [Segment(n, int(n > 1), (), c.to_bytes(n, layout)) for n, c in enumerate(contents, 1)]
    header = StreamHeader(NUMBER, model.id, layout.width, layout.height, len(segments), b"")
    return LayeredStream(header, tuple(segments))


@pytest.mark.parametrize("variant", VARIANTS)
def test_bytes_and_levels_are_the_golden_ones(variant: str) -> None:
    model = frozen_model(variant)
    stream = frozen_stream(model)
    decoder = Rmpgc(Lsgan(model)).decoder(stream.header)
    assert isinstance(decoder, RmpgcDecoder)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.decoded == len(stream.segments) == 1 + len(RUNS)
    tile = decoder._tiles[0]
    assert isinstance(tile, TileState)
    assert (tile.levels == 1).all()
    layers = [*tile.base, [from_blocks(tile.enhance[0], tile.rows, tile.columns)]]
    for found, true in zip(layers, frozen_layers(model, decoder._layout), strict=True):
        assert torch.equal(found[0], true[0])
    assert layers[-1][0].shape[2:] == (tile.rows * SIDE, tile.columns * SIDE)
    found_now = {
        "model": model.id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "bytes": stream.size,
    }
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
    if "REGENERATE_GOLDEN" in os.environ:
        golden[variant] = found_now
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
    assert found_now == golden[variant]
