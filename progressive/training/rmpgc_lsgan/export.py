"""Trained modules to and from the weight file: float16 networks, and the table as it was counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.lsgan import model, networks
from progressive.codecs.rmpgc.backbones.lsgan.coding import TableCoding
from progressive.codecs.rmpgc.backbones.lsgan.contexts import ROWS_OF_CHANNEL, SHAPES, TABLE
from progressive.codecs.rmpgc.backbones.lsgan.layers import base_of, decomposed, to_layers
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import LEVELS, nearest
from progressive.codecs.rmpgc.backbones.lsgan.variants import VARIANTS, Variant
from progressive.codecs.rmpgc.backbones.masked.latent import mapped
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.errors import UsageError
from progressive.exact.coders import CountCollector
from progressive.exact.tables import FrequencyTable, frequencies_from_counts
from progressive.exact.weights import weight_file
from progressive.files import write_atomically
from progressive.training.rmpgc_lsgan.model import Trainee

ASSUMED = 20.0
"""Symbols' worth of its channel's own distribution that each row begins with."""


def write_model(out: Path, trainee: Trainee, variant: str, photos: Sequence[Tensor]) -> None:
    """Writes the weight file, its table counted on some photos, RGB in 0..1 [1, 3, H, W]."""
    tensors = {model.GENERATOR + n: t.detach().cpu().half() for n, t in trainee.generator.state_dict().items()}
    counts = counted(trainee, VARIANTS[variant], photos)
    tensors[model.TABLES + TABLE] = torch.from_numpy(frequencies_from_counts(counts).astype(np.int16))
    says = {"architecture": model.ARCHITECTURE, "networks": networks.SHAPE, "variant": variant}
    write_atomically(out, weight_file(tensors, says))


def read_model(path: Path, variant: str) -> Trainee:
    """The modules of a weight file, to be trained further; raises UsageError if it is of another architecture."""
    tensors, own = model.load_tensors(path)
    if own != variant:
        raise UsageError(f"{path} is of the variant {own or 'without a name'}: use --set variant={own}")
    trainee = Trainee()
    prefix = len(model.GENERATOR)
    generator = {name[prefix:]: t.float() for name, t in tensors.items() if name.startswith(model.GENERATOR)}
    try:
        trainee.generator.load_state_dict(generator)
    except RuntimeError as error:
        raise UsageError(f"{path} has other networks than this version: train new ones") from error
    return trainee


@torch.no_grad()
def counted(
    trainee: Trainee, variant: Variant, photos: Sequence[Tensor]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How often each level occurs in each row."""
    uniform = np.full(SHAPES[TABLE], 1.0)
    coding = TableCoding(variant, {TABLE: FrequencyTable(frequencies_from_counts(uniform))})
    counter = CountCollector(SHAPES)
    for photo in photos:
        latent = decomposed(trainee.generator.encode(photo).float(), variant)
        layers = to_layers(nearest(base_of(latent, variant)), nearest(latent), variant)
        rows, columns = (n // BLOCK for n in photo.shape[2:])
        for stage in range(len(layers) - 1):
            coding.code(counter, stage, layers[:stage], 1, rows, columns, layers[stage])
        blocks = mapped(layers, coding.shapes, to_blocks)
        coding.code(counter, len(layers) - 1, blocks[:-1], rows * columns, 1, 1, blocks[-1])
    own = counter.counts[TABLE].reshape(-1, ROWS_OF_CHANNEL, LEVELS)
    usual = own.sum(1, keepdims=True) + 1.0
    return np.asarray((own + ASSUMED * usual / usual.sum(2, keepdims=True)).reshape(SHAPES[TABLE]))
