"""The trained numbers: tables and networks, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan import contexts, networks
from progressive.codecs.rmpgc.backbones.lsgan.coding import TableCoding
from progressive.codecs.rmpgc.backbones.lsgan.contexts import TABLE
from progressive.codecs.rmpgc.backbones.lsgan.layers import base_of, decomposed, from_layers, to_layers
from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import nearest
from progressive.codecs.rmpgc.backbones.lsgan.variants import CELL, CHANNELS, SIDE, VARIANTS, Variant
from progressive.codecs.rmpgc.backbones.masked.latent import Layer
from progressive.errors import UsageError
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights
from progressive.runtime.devices import copy_on
from progressive.runtime.precision import fast_floats

WEIGHTS = Path(__file__).parents[4] / "weights" / "rmpgc_lsgan.safetensors"

CODEC = "rmpgc_lsgan"

ARCHITECTURE = "lsgan-1"
"""Names what the tensors are for; a file of another one is refused."""

GENERATOR, TABLES = "generator.", "tables."

EDGE = 4
"""Positions that edges are repeated by, as convolutions would see black beyond them."""

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""


class Networks:
    """The decoder on a device."""

    def __init__(self, generator: Generator, variant: Variant, device: str) -> None:
        self._device = torch.device(device)
        self._generator, self._variant = copy_on(generator, device), variant

    def synthesise(self, layers: Sequence[Layer], mask: Tensor) -> Tensor:
        latent = from_layers(layers, mask, self._variant)
        condition = mask if self._variant.conditioned else torch.ones_like(mask)
        latent, condition = (F.pad(each, [EDGE] * 4, mode="replicate") for each in (latent, condition))
        with fast_floats(self._device):
            picture = self._generator.decode(latent, condition).float().cpu()
        return F.pad(picture, [-EDGE * CELL] * 4)


class Model:
    """Everything that encoder and decoder share, and the networks of each: a `masked.model.Model`.

    Args:
        tensors: as in the weight file. `tables.*` (frequencies) decide what decodes; `generator.*` makes latents and
            pictures.
        variant: which of the paper's schemes they were trained for.

    Raises UsageError if tensors are missing or have the wrong shape.
    """

    margin = 2
    side = SIDE

    def __init__(self, tensors: Mapping[str, Tensor], variant: str) -> None:
        self._tensors, self._variant = dict(tensors), variant
        if variant not in VARIANTS:
            raise UsageError(f"the weights are not those of a {CODEC} model (a variant is {' or '.join(VARIANTS)})")
        try:
            self.variant = VARIANTS[variant]
            self.generator = Generator()
            prefix = len(GENERATOR)
            own = {n[prefix:]: t.float() for n, t in self._tensors.items() if n.startswith(GENERATOR)}
            self.generator.load_state_dict(own)
            self.generator.eval().requires_grad_(False)
            frequencies = FrequencyTable(self._tensors[TABLES + TABLE].numpy().astype(np.int64))
            self.coding = TableCoding(self.variant, {TABLE: frequencies})
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of a {CODEC} model ({reason})") from error

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor], str]]:
        return type(self), (self._tensors, self._variant)

    @cached_property
    def id(self) -> bytes:
        constants = f"{ARCHITECTURE}{self.variant}{contexts.SHAPES}{contexts.BUSY}"
        return fingerprint(self._tensors, [TABLES + TABLE], constants)

    @cached_property
    def networks_id(self) -> bytes:
        """Eight bytes that name how latents are chosen and shown: better networks open old files."""
        return fingerprint(self._tensors, (name for name in self._tensors if name.startswith(GENERATOR)))

    def coding_on(self, device: str) -> TableCoding:
        return self.coding

    def networks_on(self, device: str) -> Networks:
        return Networks(self.generator, self.variant, device)

    def latent_of(self, pixels: Tensor) -> list[Layer]:
        around = F.pad(pixels, [EDGE * CELL] * 4, mode="replicate")
        with fast_floats(torch.device("cpu")):
            latent = decomposed(self.generator.encode(around).float(), self.variant)
        latent = F.pad(latent, [-EDGE] * 4)
        return to_layers(nearest(base_of(latent, self.variant)), nearest(latent), self.variant)

    def channels_of(self, layers: Sequence[Layer]) -> Tensor:
        everywhere = torch.ones(1, 1, *layers[-1][0].shape[2:])
        return from_layers(layers, everywhere, self.variant)[:, -CHANNELS:]

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        tensors, variant = load_tensors(path)
        return cls(tensors, variant)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a weight file and its variant; raises UsageError if it cannot be read or is of another kind."""
    arrays, says = read_weights(path, CODEC)
    check_made_for(path, says, {"architecture": ARCHITECTURE, "networks": networks.SHAPE})
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, says.get("variant", "")
