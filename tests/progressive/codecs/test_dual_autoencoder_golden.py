"""The bitstream must not change: a frozen model and photo, made of integers alone, give these bytes and these latents.

A change of either is a change of format: raise the codec's number, then run the test once with REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder import lattice
from progressive.codecs.dual_autoencoder.codec import DualAutoencoder
from progressive.codecs.dual_autoencoder.detail import table_shapes
from progressive.codecs.dual_autoencoder.layout import PLANES
from progressive.codecs.dual_autoencoder.model import KINDS, Model
from progressive.container import stream_to_bytes
from progressive.exact.tables import TOTAL

GOLDEN = Path(__file__).with_name("dual_autoencoder.golden.json")
EXPERTS = 2


def frozen_tables() -> dict[str, NDArray[np.uint16]]:
    shapes = {f"{kind}.base": (lattice.ROWS, lattice.SYMBOLS) for kind in KINDS}
    for kind in KINDS:
        shapes |= table_shapes(kind, EXPERTS)
    tables = {}
    for name, (rows, symbols) in shapes.items():
        weights = 1 + (np.arange(rows)[:, None] * 7 + np.arange(symbols) * 13) % 11
        frequencies = 1 + weights * (TOTAL - symbols) // weights.sum(1, keepdims=True)
        frequencies[:, symbols // 2] += TOTAL - frequencies.sum(1)
        tables[f"tables.{name}"] = frequencies.astype(np.uint16)
    return tables


def frozen_model() -> Model:
    hadamard = np.array([[1]])
    while len(hadamard) < 64:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    tensors: dict[str, NDArray[np.generic]] = dict(frozen_tables())
    for kind in KINDS:
        decoder = np.zeros((9, 64), np.float32)
        decoder[4] = 1 / 8
        tensors |= {
            f"{kind}.g1_encoder": np.full(64, 1 / 8, np.float32),
            f"{kind}.g1_decoder": decoder,
            f"{kind}.g2": np.stack([hadamard[1:9], hadamard[9:17]]).astype(np.float32) / 8,
            f"{kind}.centroids": np.full((PLANES, 2), 0.5, np.float32),
        }
    return Model(tensors)


def frozen_photo() -> NDArray[np.uint8]:
    y, x = np.mgrid[:70, :90]
    grey = (x * 3 + y * 2 + (x // 8 * 37 + y // 8 * 91) % 60 + (x * y) % 7 * 9) % 256
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_bytes_and_latents_are_the_golden_ones() -> None:
    codec = DualAutoencoder(frozen_model())
    stream = codec.encode(frozen_photo(), max_payload=400)
    decoder = codec.decoder(stream.header)
    for segment in reversed(stream.segments):
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    digest = hashlib.sha256()
    assert decoder._state is not None
    for component in decoder._state:
        for name in ("base", "level", "calm", "expert", "detail"):
            digest.update(getattr(component, name).astype("<i4").tobytes())
    found = {
        "model": stream.header.model_id.hex(),
        "file": hashlib.sha256(stream_to_bytes(stream)).hexdigest(),
        "latents": digest.hexdigest(),
    }
    if "REGENERATE_GOLDEN" in os.environ:
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())
