"""The bitstream must not change: a frozen model and latents made of integers give these bytes and these indices.

The latents are a photo's pixels in simple fractions, far from all edges of bins, so that no rounding of a transform can
move them. A change of either digest is a change of format: raise the codec's number, then run the test once with
REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor

from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.layout import CHANNELS, LEVELS, STAGES, STRIDES, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.segments import Contents
from progressive.codecs.rmpgc.tile import Target, TileState
from progressive.container import stream_to_bytes
from progressive.stream import LayeredStream, Segment, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
LAYOUT = Layout(192, 128)
FRACTION = 32
MAX_PAYLOAD = 400
NUMBER = 2
"""The codec's, in stream headers."""


def frozen_latent() -> list[Tensor]:
    """Differences of neighbouring pixels: mostly small, as a wavelet's coefficients are."""
    grey = data.chelsea()[60:188, 60:253, 1].astype(np.int64)
    differences = (2 * np.diff(grey, axis=1) + 1).ravel()
    latent, taken = [], 0
    for channels, stride in zip(CHANNELS, STRIDES, strict=True):
        shape = (1, channels, LAYOUT.height // stride, LAYOUT.width // stride)
        count = int(np.prod(shape))
        places = (taken + np.arange(count)) % len(differences)
        latent.append(torch.from_numpy(differences[places] / FRACTION).float().reshape(shape))
        taken += count
    return latent


def frozen_stream(model: Model) -> LayeredStream:
    """The true symbols, each step of all blocks by itself: nothing that an encoder is free to choose."""
    state = TileState(LAYOUT.rows, LAYOUT.columns, model.networks, model.tiers)
    target = Target.of(frozen_latent(), model.dequantiser, None)
    blocks = tuple(range(LAYOUT.rows * LAYOUT.columns))
    pieces: list[Contents] = []
    with torch.inference_mode():
        for stage in range(len(STAGES)):
            recorder = Recorder()
            state.keep_stage(state.code_stage(recorder, target.base))
            pieces += Contents(0, stage, (), recorder.encoded(model.tables)).fitted(MAX_PAYLOAD)
        for level in range(1, LEVELS + 1):
            recorder = Recorder()
            state.keep_level(state.code_level(recorder, level, list(blocks), target.level(level, state)))
            step = len(STAGES) - 1 + level
            pieces += Contents(0, step, blocks, recorder.encoded(model.tables)).fitted(MAX_PAYLOAD)
    segments = tuple(Segment(number, p.layer, (), p.to_bytes()) for number, p in enumerate(pieces, 1))
    colours = Colours((3, -2, 1)).to_bytes()
    return LayeredStream(StreamHeader(NUMBER, model.id, LAYOUT.width, LAYOUT.height, len(segments), colours), segments)


def test_bytes_and_indices_are_the_golden_ones(codec: Rmpgc, model: Model) -> None:
    stream = frozen_stream(model)
    decoder = codec.decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    digest = hashlib.sha256()
    for index in decoder._tiles[0].index:
        digest.update(index.contiguous().numpy().astype("<i4").tobytes())
    found = {
        "model": model.id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "bytes": stream.size,
        "indices": digest.hexdigest(),
    }
    if "REGENERATE_GOLDEN" in os.environ:
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())
