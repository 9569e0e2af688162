"""The bitstream must not change: a frozen model and latents made of integers give these bytes and these indices.

The latents are a photo's pixels in simple fractions, far from all edges of bins, so that no rounding of a transform can
move them. A change of any figure is a change of format: raise the codec's number, then run the test once with
REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_hierarchical_vae import frozen_model
from skimage import data
from torch import Tensor

from progressive.codecs.hierarchical_vae.choices import Choices
from progressive.codecs.hierarchical_vae.codec import HierarchicalVae
from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.latents import CHANNELS, LATENTS, ROOT, STRIDES, layer_of
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.segments import Contents
from progressive.codecs.hierarchical_vae.tile import TileState, each_latent
from progressive.container import stream_to_bytes
from progressive.exact.layers import int8_is_fast
from progressive.exact.records import Recorder
from progressive.segments.tiles import Layout
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import LayeredStream, Segment, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
NUMBER = 4
"""The codec's, in stream headers."""

LAYOUT = Layout(320, 256)
PARAMETERS = Parameters(140, 8, CoarseMap(np.arange(12, dtype=np.uint8).reshape(3, 4) % 8))
FRACTION = 32
RUNS = ((0, 7), (7, 1), (8, 12))


def frozen_latent() -> list[Tensor]:
    """Differences of neighbouring pixels: mostly small, as a wavelet's coefficients are."""
    grey = data.chelsea()[40:296, 60:381, 1].astype(np.int64)
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
    """The nearest indices, blocks in fixed runs: nothing that an encoder is free to choose."""
    tables, blocks = model.coding.tables.frequencies, list(range(LAYOUT.whole.blocks))
    state = TileState(LAYOUT.whole, PARAMETERS.gammas(LAYOUT), model.coding)
    segments: list[Segment] = []
    with torch.inference_mode():
        for latent, choices in each_latent(state, Choices(frozen_latent(), price=None)):
            record = Recorder()
            state.keep(state.code(record, latent, blocks, choices))
            for first, count in [(0, 0)] if latent == ROOT else RUNS:
                chosen = sorted(state.order[first : first + count]) or [0]
                contents = Contents(0, latent, record.encoded_blocks(tables, chosen), first, count)
                segments.append(Segment(len(segments) + 1, layer_of(latent), (), contents.to_bytes(LAYOUT)))
    header = StreamHeader(NUMBER, model.id, LAYOUT.width, LAYOUT.height, len(segments), PARAMETERS.to_bytes())
    return LayeredStream(header, tuple(segments))


@pytest.mark.parametrize("kernel", ["float32", "int8"])
def test_bytes_and_indices_are_the_golden_ones(kernel: str) -> None:
    """In every kernel."""
    if kernel == "int8" and not int8_is_fast():
        pytest.skip("this processor does not multiply bytes")
    model = frozen_model(kernel)
    assert model.coding.prior.kernel == kernel
    stream = frozen_stream(model)
    decoder = HierarchicalVae(model).decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    assert decoder.status.decoded == len(stream.segments) == 1 + (len(LATENTS) - 1) * len(RUNS)
    digest, points = hashlib.sha256(), hashlib.sha256()
    for index, expected in zip(decoder._tiles[0].index, decoder._tiles[0].points, strict=True):
        digest.update(index.contiguous().numpy().astype("<i4").tobytes())
        points.update(expected.contiguous().numpy().tobytes())
    found = {
        "model": model.id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "bytes": stream.size,
        "indices": digest.hexdigest(),
        "points": points.hexdigest(),
    }
    if "REGENERATE_GOLDEN" in os.environ and kernel == "float32":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())
