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
from frozen_label_guided import frozen_model
from skimage import data

from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.codec import LabelGuided
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS, ROOT
from progressive.codecs.label_guided.header import Parameters
from progressive.codecs.label_guided.layout import SIDE, Layout
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, HYPER_REACH
from progressive.codecs.label_guided.segments import Contents
from progressive.codecs.label_guided.tile import TileState, each_group
from progressive.container import stream_to_bytes
from progressive.exact.layers import int8_is_fast
from progressive.exact.records import Recorder
from progressive.stream import LayeredStream, Segment, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
NUMBER = 5
"""The codec's, in stream headers."""

LAYOUT = Layout(310, 250)
PARAMETERS = Parameters(24, 8)
FRACTION = 32
RUNS = ((0, 7), (7, 1), (8, 12))


def frozen_choices() -> Choices:
    """Differences of neighbouring pixels: mostly small, as coefficients are; the nearest indices."""
    pixels = data.chelsea()[40:296, 60:381, 1].astype(np.int64)
    differences = (2 * np.diff(pixels, axis=1) + 1).ravel()
    rows, columns = LAYOUT.rows * SIDE, LAYOUT.columns * SIDE
    values = differences[: CHANNELS * rows * columns].reshape(1, CHANNELS, rows, columns) / FRACTION
    hyper = (differences[: HYPER_CHANNELS * LAYOUT.whole.blocks] % (2 * HYPER_REACH + 1) - HYPER_REACH).astype(np.int32)
    cells = LAYOUT.cells(LAYOUT.whole)
    labels = (pixels[::11, ::13][: cells[0], : cells[1]] // 40 % COUNT).astype(np.int8)
    return Choices(
        torch.from_numpy(values).float(),
        hyper.reshape(HYPER_CHANNELS, LAYOUT.rows, LAYOUT.columns),
        labels,
        price=None,
    )


def frozen_stream(model: Model) -> LayeredStream:
    """Blocks in fixed runs, the last two groups together: nothing that an encoder is free to choose."""
    tables, blocks = model.coding.tables.frequencies, list(range(LAYOUT.whole.blocks))
    state = TileState(LAYOUT, LAYOUT.whole, PARAMETERS.level, False, model.coding)
    records: list[Recorder] = []
    with torch.inference_mode():
        for group, choices in each_group(frozen_choices()):
            records.append(Recorder())
            state.keep(state.code(records[-1], group, blocks, choices))
    contents = [Contents(0, ROOT, records[ROOT].encoded_blocks(tables, [0]))]
    for groups in ([1], [2, 3]):
        record = Recorder([each for group in groups for each in records[group].passes])
        for first, count in RUNS:
            code = record.encoded_blocks(tables, sorted(state.order[first : first + count]))
            contents.append(Contents(0, groups[0], code, first, count, len(groups) - 1))
    segments = [Segment(n, c.groups[-1], (), c.to_bytes(LAYOUT)) for n, c in enumerate(contents, 1)]
    header = StreamHeader(NUMBER, model.id, LAYOUT.width, LAYOUT.height, len(segments), PARAMETERS.to_bytes())
    return LayeredStream(header, tuple(segments))


@pytest.mark.parametrize("kernel", ["float32", "int8"])
def test_bytes_and_indices_are_the_golden_ones(kernel: str) -> None:
    """In every kernel."""
    if kernel == "int8" and not int8_is_fast():
        pytest.skip("this processor does not multiply bytes")
    model = frozen_model(kernel)
    assert model.coding.prior.kernel == model.coding.label_prior.kernel == kernel
    stream = frozen_stream(model)
    decoder = LabelGuided(model).decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    assert decoder.status.decoded == len(stream.segments) == 1 + 2 * len(RUNS)
    tile = decoder._tiles[0]
    assert (tile.levels == len(GROUPS)).all()
    found = {
        "model": model.id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "bytes": stream.size,
        "labels": hashlib.sha256(tile.labels.numpy().astype("<i4").tobytes()).hexdigest(),
        "indices": hashlib.sha256(tile.index.contiguous().numpy().astype("<i4").tobytes()).hexdigest(),
        "points": hashlib.sha256(tile.points.contiguous().numpy().tobytes()).hexdigest(),
    }
    if "REGENERATE_GOLDEN" in os.environ and kernel == "float32":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())
