"""The trained numbers: linear autoencoders, probability tables, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder.layout import BLOCK, OUTPUTS, PIXELS, PLANES
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import fingerprint, read_weights, unreadable

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parents[2] / "weights" / "dual_autoencoder.safetensors"
CODEC = "dual_autoencoder"
KINDS = ("luma", "chroma")


@dataclass(frozen=True)
class Autoencoders:
    """The linear autoencoders of one kind of component (Taha et al. 2025, section 3).

    G1 has one output a block. Its decoder also sees the outputs of the eight blocks around, so that calm areas are
    smooth; its encoder does not. G2 has eight outputs and works on what G1 leaves; it is a bank of K experts, each an
    orthonormal basis, of which a detailed block uses one.

    Fields:
        g1_encoder: [P].
        g1_decoder: [9, P], the blocks around in raster order.
        g2: [K, O, P], rows orthonormal within an expert, by falling variance.
        centroids: [PLANES, 2]: where in a bin of magnitude 1, and of more, the mean lies, 0..1.
    """

    g1_encoder: Floats
    g1_decoder: Floats
    g2: Floats
    centroids: Floats

    @property
    def experts(self) -> int:
        return len(self.g2)

    def encode_calm(self, blocks: Floats) -> Floats:
        """[h, w, P] -> outputs of G1, [h, w]."""
        return blocks @ self.g1_encoder

    def decode_calm(self, outputs: Floats) -> Floats:
        """[h, w] -> blocks, [h, w, P]; beyond the edge the nearest output counts."""
        h, w = outputs.shape
        padded = np.pad(outputs, 1, mode="edge")
        around = np.stack([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], -1)
        return around @ self.g1_decoder


class Model:
    """Everything that a decoder must share with the encoder, and the smoothing filter, which it need not.

    Args:
        tensors: as in the weight file: `luma.*` and `chroma.*` (see `Autoencoders`), `tables.*` (uint16 frequencies),
            `filter.*` (see `smoothing.py`).
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._tensors = dict(tensors)
        self.autoencoders = {
            kind: Autoencoders(
                *(
                    self._tensors[f"{kind}.{name}"].astype(np.float32)
                    for name in ("g1_encoder", "g1_decoder", "g2", "centroids")
                )
            )
            for kind in KINDS
        }
        self.tables = {
            name.removeprefix("tables."): FrequencyTable(np.asarray(t, np.int64))
            for name, t in self._tensors.items()
            if name.startswith("tables.")
        }
        self.filter = {
            name.removeprefix("filter."): t.astype(np.float32)
            for name, t in self._tensors.items()
            if name.startswith("filter.")
        }

    @property
    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """As in the weight file."""
        return dict(self._tensors)

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents and their meaning; the smoothing filter is free to improve."""
        return fingerprint(self._tensors, (name for name in self._tensors if not name.startswith("filter.")))

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Model:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        tensors, _ = read_weights(path, CODEC)
        try:
            check_weights(tensors)
            return cls(tensors)
        except (LookupError, TypeError, ValueError) as error:
            raise unreadable(path, CODEC, error) from error


def check_weights(tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Raises KeyError or ValueError unless these are all the tensors of a model, of the right shapes and finite."""
    from progressive.codecs.dual_autoencoder import lattice
    from progressive.codecs.dual_autoencoder.detail import table_shapes
    from progressive.codecs.dual_autoencoder.smoothing import SmoothingFilter

    expected: dict[str, tuple[int, ...]] = {}
    for kind in KINDS:
        experts = len(tensors[f"{kind}.g2"])
        shapes = {"g1_encoder": (PIXELS,), "g1_decoder": (9, PIXELS), "g2": (experts, OUTPUTS, PIXELS)}
        expected |= {f"{kind}.{name}": shape for name, shape in (shapes | {"centroids": (PLANES, 2)}).items()}
        tables = table_shapes(kind, experts) | {f"{kind}.base": (lattice.ROWS, lattice.SYMBOLS)}
        expected |= {f"tables.{name}": shape for name, shape in tables.items()}
    if any(name.startswith("filter.") for name in tensors):
        expected |= {f"filter.{name}": tuple(t.shape) for name, t in SmoothingFilter().state_dict().items()}
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name} is {tensors[name].shape}, not {shape}")
        if not np.isfinite(tensors[name].astype(np.float64)).all():
            raise ValueError(f"{name} has values that are no numbers")


def kind_of(component: int) -> str:
    """`luma` for component 0, `chroma` for 1 and 2."""
    return KINDS[min(component, 1)]


def to_blocks(plane: Floats) -> Floats:
    """[8h, 8w] -> [h, w, P]."""
    h, w = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    return np.ascontiguousarray(plane.reshape(h, BLOCK, w, BLOCK).transpose(0, 2, 1, 3).reshape(h, w, PIXELS))


def from_blocks(blocks: Floats) -> Floats:
    """[h, w, P] -> [8h, 8w]."""
    h, w, _ = blocks.shape
    return blocks.reshape(h, w, BLOCK, BLOCK).transpose(0, 2, 1, 3).reshape(h * BLOCK, w * BLOCK)
