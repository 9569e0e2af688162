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
import torch
from frozen_rmpgc import frozen_model
from skimage import data
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.scales import CHANNELS, DEPTH, LEVELS, SCALES, STRIDES, layout_of
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.segments import ALL, BASE, RUN, SET, Contents, naming
from progressive.container import stream_to_bytes
from progressive.exact.records import Recorder, encoded
from progressive.stream import LayeredStream, Segment, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
LAYOUT = layout_of(320, 256)
FRACTION = 32
MAX_PAYLOAD = 900
NUMBER = 2
"""The codec's, in stream headers."""

COARSE = 4
"""Scales of the first segment of the base."""


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
    """The true symbols, blocks in fixed groups named in every form: nothing that an encoder is free to choose."""
    latent, tables = frozen_latent(), model.coding.tables
    state = TileState(LAYOUT.rows, LAYOUT.columns, model.coding)
    target = Target(latent, Choices(latent[0]))
    segments: list[Segment] = []

    def send(contents: Contents, level: int) -> int:
        """Sends all fragments; returns the id of the last."""
        reference = contents.reference
        for piece in contents.fitted(MAX_PAYLOAD, LAYOUT):
            number = len(segments) + 1
            made = Contents(piece.form, piece.body, piece.tile, piece.run, reference, piece.fragment, piece.fragments)
            segments.append(Segment(number, DEPTH.layer_of(level), (), made.to_bytes(number, LAYOUT)))
            reference = number
        return reference

    with torch.inference_mode():
        for first, last in ((0, COARSE - 1), (COARSE, SCALES - 1)):
            recorder = Recorder()
            state.keep_stages(state.code_stages(recorder, last - first + 1, target.base()))
            base = send(Contents(BASE, encoded([recorder], tables), run=DEPTH.runs.index((first, last))), 0)
        listed = list(state.by_activity)
        groups = [(base, listed, chosen) for chosen in (listed[:9], listed[9:18:2], [*listed[10:18:2], *listed[18:]])]
        for level in range(1, LEVELS + 1):
            recorder, finer = Recorder(), []
            everything = list(range(LAYOUT.rows * LAYOUT.columns))
            state.keep_level(state.code_level(recorder, level, everything, target.level(level, everything)))
            for before, among, chosen in groups:
                form, names = naming(chosen, among)
                code = recorder.encoded_blocks(tables, sorted(chosen))
                finer.append((send(Contents(form, names + code, reference=before), level), chosen))
            groups = [(before, sorted(chosen), chosen) for before, chosen in finer]
    header = StreamHeader(NUMBER, model.id, LAYOUT.width, LAYOUT.height, len(segments), Colours((3, -2, 1)).to_bytes())
    return LayeredStream(header, tuple(segments))


def test_bytes_and_indices_are_the_golden_ones(kernel: str) -> None:
    """In every kernel."""
    model = frozen_model(kernel)
    assert model.coding.networks.kernel == kernel
    stream = frozen_stream(model)
    decoder = Rmpgc(model).decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    assert decoder.status.decoded == len(stream.segments)
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


def test_the_golden_stream_has_every_form_and_fragments() -> None:
    stream = frozen_stream(frozen_model())
    contents = [Contents.from_bytes(s.payload, s.id, LAYOUT) for s in stream.segments]
    assert {c.form for c in contents} == {ALL, RUN, SET, BASE}
    assert {c.form for c in contents if c.fragment} >= {ALL, BASE}
    assert max(len(s.payload) for s in stream.segments) <= MAX_PAYLOAD
