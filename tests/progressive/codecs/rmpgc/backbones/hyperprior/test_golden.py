"""The bitstream must not change: a frozen model and latents made of integers give these bytes.

The latents are a photo's pixels in integers, so that no rounding of a transform can move them. A change of any figure
is a change of format: raise the codec's number, then run the test once with REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_hyperprior import frozen_model
from skimage import data

from progressive.codecs.rmpgc.backbones.hyperprior.channels import ENHANCE, HYPER_CHANNELS, HYPER_REACH, PARTS
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.layers import int8_is_fast

GOLDEN = Path(__file__).with_name("golden.json")
ROWS, COLUMNS = 3, 5


def frozen_layers() -> list[Layer]:
    """Differences of neighbouring pixels: mostly small, as indices are."""
    pixels = data.chelsea()[:, :, 1].astype(np.int64)
    differences, layers, first = np.diff(pixels, axis=1).ravel(), list[Layer](), 0
    for shape in PARTS:
        layers.append([])
        for channels, side in shape:
            size = (1, channels, ROWS * side, COLUMNS * side)
            count = int(np.prod(size))
            values = differences[first : first + count]
            if side == 1 and channels == HYPER_CHANNELS:
                values = values % (2 * HYPER_REACH + 1) - HYPER_REACH
            layers[-1].append(torch.from_numpy(values.reshape(size).astype(np.int16)))
            first += count
    return layers


@pytest.mark.parametrize("kernel", ["float32", "int8"])
@pytest.mark.parametrize("threads", [1, 3])
def test_bytes_are_the_golden_ones_and_decode(kernel: str, threads: int) -> None:
    """In every kernel, whatever the number of threads."""
    if kernel == "int8" and not int8_is_fast():
        pytest.skip("this processor does not multiply bytes")
    model = frozen_model(kernel)
    coding, layers = model.coding, frozen_layers()
    blocks = mapped(layers, PARTS, to_blocks)
    calls = [(stage, layers[:stage], (1, ROWS, COLUMNS), layers[stage]) for stage in range(ENHANCE)]
    calls.append((ENHANCE, blocks[:ENHANCE], (ROWS * COLUMNS, 1, 1), blocks[ENHANCE]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        codes = []
        for stage, known, shape, wanted in calls:
            encoder = RangeSymbolEncoder(coding.tables)
            coding.code(encoder, stage, known, *shape, wanted)
            codes.append(encoder.to_bytes())
            decoder = RangeSymbolDecoder(coding.tables, codes[-1])
            found = coding.code(decoder, stage, known, *shape, None)
            decoder.finish()
            assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    finally:
        torch.set_num_threads(before)
    figures = {
        "model": model.id.hex(),
        "bytes": [len(code) for code in codes],
        "codes": [hashlib.sha256(code).hexdigest() for code in codes],
    }
    if "REGENERATE_GOLDEN" in os.environ and kernel == "float32":
        GOLDEN.write_text(json.dumps(figures, indent=1) + "\n")
    assert figures == json.loads(GOLDEN.read_text())
