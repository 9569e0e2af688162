"""The bitstream must not change: a frozen model and codes made of integers give these bytes, and these the codes.

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
from frozen_numbers import Bits
from frozen_recurrent import frozen_model

from progressive.codecs.recurrent.codec import Recurrent
from progressive.codecs.recurrent.encoder import CodedPhoto, drafts_of, ordered
from progressive.codecs.recurrent.layout import BITS, ITERATIONS, Layout
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.tiers import cell_shares, tiers_of
from progressive.container import stream_to_bytes
from progressive.exact.layers import int8_is_fast
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import LayeredStream, StreamHeader

GOLDEN = Path(__file__).with_name("golden.json")
LAYOUT = Layout(650, 170)
CELLS = 60
NUMBER = 3
"""The codec's, in stream headers."""


def frozen_stream(model: Model) -> LayeredStream:
    """Codes that are mostly -1 in the first tile, and anything in the other."""
    codes, bits = [], Bits(21)
    for tile, window in enumerate(LAYOUT.windows()):
        drawn = bits.integers(3, (ITERATIONS, BITS, window.height, window.width))
        signs = np.where(drawn > (0 if tile else 2), 1, -1).astype(np.int8)
        codes.append(list(torch.from_numpy(signs)))
    gains = np.ones((ITERATIONS, LAYOUT.rows, LAYOUT.columns))
    ramp = CoarseMap(np.arange(63, dtype=np.uint8).reshape(7, 9) % 8)
    tiers = [tiers_of(window, cell_shares(LAYOUT, ramp), CELLS) for window in LAYOUT.windows()]
    segments = ordered(drafts_of(CodedPhoto(LAYOUT, codes, gains), tiers, model, "classify"), LAYOUT)
    parameters = CELLS.to_bytes(2, "big") + ramp.to_bytes()
    return LayeredStream(
        StreamHeader(NUMBER, model.id, LAYOUT.width, LAYOUT.height, len(segments), parameters), segments
    )


@pytest.mark.parametrize("kernel", ["float32", "int8"] if int8_is_fast() else ["float32"])
def test_bytes_and_codes_are_the_golden_ones(kernel: str) -> None:
    model = frozen_model(kernel)
    assert model.context.kernel == kernel
    stream = frozen_stream(model)
    decoder = Recurrent(model).decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    assert decoder.status.decoded == len(stream.segments)
    digest = hashlib.sha256()
    for number in range(LAYOUT.tiles):
        digest.update(torch.stack(decoder._tiles[number].codes).numpy().tobytes())
    found = {
        "model": model.id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "bytes": stream.size,
        "codes": digest.hexdigest(),
    }
    if "REGENERATE_GOLDEN" in os.environ and kernel == "float32":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_the_golden_stream_has_coded_segments_and_raw_ones() -> None:
    stream = frozen_stream(frozen_model())
    assert {bool(segment.payload[3] & 0x80) for segment in stream.segments} == {False, True}
