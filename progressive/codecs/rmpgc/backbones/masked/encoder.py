"""From a photo to everything that could be sent of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbone import CodedTile
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, cut, mapped
from progressive.codecs.rmpgc.backbones.masked.model import Model
from progressive.codecs.rmpgc.backbones.masked.picture import latent_of, picture_of
from progressive.codecs.rmpgc.backbones.masked.tile import TileState
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.codecs.rmpgc.layout import BLOCK, Layout, Window
from progressive.exact.records import Recorder
from progressive.semantics.complexity import latent_complexity
from progressive.semantics.grids import block_sums

Numbers = NDArray[np.float64]

LEAST_GAIN = 1.0
"""What a block's enhance layer removes at least, in squared 8-bit steps: a decoder that draws may remove less."""


@dataclass(frozen=True)
class MaskedTile(CodedTile):
    """A tile as it can be sent. Field: complexity: the variance of each position's levels (LCM, RMPGC Eq. 9)."""

    complexity: Numbers


def coded_tiles(photo: Photo, layout: Layout, model: Model) -> list[MaskedTile]:
    """Codes all tiles of a photo [H, W, 3], row by row."""
    layers = latent_of(photo, layout, model)
    errors = [_errors(photo, layers, full, layout, model) for full in (False, True)]
    grey = _block_errors(photo, np.full_like(photo, 128))
    tiles = []
    for window in layout.windows():
        own = cut(layers, model.coding.shapes, window)
        base, full, nothing = (e[window.slices(1)].ravel() for e in (*errors, grey))
        base_gain = max(float((nothing - base).sum()), 0.0)
        tiles.append(_coded_tile(window, own, model, base_gain, np.maximum(base - full, LEAST_GAIN)))
    return tiles


def _coded_tile(window: Window, layers: list[Layer], model: Model, base_gain: float, gains: Numbers) -> MaskedTile:
    state = TileState(window.height, window.width, model.coding)
    stages = []
    for _ in layers[:-1]:
        record = Recorder()
        state.keep_stages(state.code_stages(record, 1, layers))
        stages.append(record)
    enhance, blocks = Recorder(), list(range(window.blocks))
    shape = model.coding.shapes[-1]
    state.code_level(enhance, 1, blocks, mapped(layers[-1:], [shape], to_blocks)[0])
    bits = enhance.bits(model.coding.tables, window.blocks)[None]
    complexity = latent_complexity(model.channels_of(layers)[0].numpy())
    shares = np.full(len(stages), base_gain / len(stages))
    return MaskedTile(window, stages, [enhance], state.by_activity, bits, gains[None], shares, complexity)


def _errors(photo: Photo, layers: list[Layer], full: bool, layout: Layout, model: Model) -> Numbers:
    """Squared error of each block with the base alone, or with everything, [rows, columns]."""
    mask = np.full((layout.rows * model.side, layout.columns * model.side), full)
    cpu = torch.device("cpu")
    known = layers if full else [*layers[:-1], [torch.zeros_like(part) for part in layers[-1]]]
    return _block_errors(photo, picture_of(known, mask, layout, model, model.networks_on("cpu"), cpu))


def _block_errors(photo: Photo, picture: Photo) -> Numbers:
    """In 8-bit steps, summed over samples, [rows, columns]."""
    apart = photo.astype(np.int32) - picture
    return block_sums(np.square(apart).sum(2).astype(np.float64), BLOCK)
