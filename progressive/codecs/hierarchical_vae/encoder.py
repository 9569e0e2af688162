"""From a photo to latents at a rate, and what each costs and gains.

Legend: B blocks of a tile; C coefficients, h x w positions of a scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae import wavelets
from progressive.codecs.hierarchical_vae.choices import Choices
from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, CHANNELS, LATENTS, MARGIN, ROOT
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.codecs.hierarchical_vae.tile import TileState, each_latent, to_blocks
from progressive.exact.records import Recorder
from progressive.runtime.precision import fast_floats
from progressive.segments.pieces import padded, pieces, with_margin
from progressive.segments.tiles import BLOCK, Layout, Window

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CodedTile:
    """A tile as it can be sent.

    Fields:
        window: its blocks in the photo.
        order: its blocks as the first latent lists them.
        records: what each latent writes.
        bits: what each latent of each block costs, [latents, B]; of the first one equal shares.
        gains: squared error, in 8-bit steps summed over samples, that each latent of each block removes, [latents, B].
    """

    window: Window
    order: tuple[int, ...]
    records: list[Recorder]
    bits: Numbers
    gains: Numbers


class Analysis:
    """A photo before its rate is chosen: its wavelet coefficients, taken once. Argument: a photo, [H, W, 3]."""

    def __init__(self, photo: Photo, model: Model) -> None:
        self.height, self.width = photo.shape[:2]
        self._photo, self._model = photo, model
        layout = Layout(self.width, self.height)
        self._bands = [
            torch.empty(1, channels, layout.rows * side, layout.columns * side)
            for channels, side in zip(CHANNELS, BLOCK_SIDES, strict=True)
        ]
        for piece in pieces(layout, MARGIN):
            around = with_margin(piece, layout, MARGIN)
            for place, values in _places(self._bands, wavelets.analyse(padded(photo, around)), piece, around):
                place.copy_(values)

    def coefficients(self, gammas: Gammas) -> list[Tensor]:
        """The posterior's coefficients of all scales, in steps, [1, C, h, w]."""
        layout = Layout(self.width, self.height)
        found = [band / step for band, step in zip(self._bands, gammas.steps, strict=True)]
        for piece in pieces(layout, MARGIN):
            around = with_margin(piece, layout, MARGIN)
            with fast_floats(torch.device("cpu")):
                part = self._model.bottom_up(padded(self._photo, around), gammas.cut(*around.slices(BLOCK // CELL)))
            for place, more in _places(found, part, piece, around):
                place.add_(more)
        return found


def coded_tiles(analysis: Analysis, parameters: Parameters, model: Model) -> Iterator[CodedTile]:
    """Codes a photo's tiles, row by row, at the rate that the parameters say."""
    layout = Layout(analysis.width, analysis.height, parameters.tile_side)
    gammas = parameters.gammas(layout)
    coefficients = analysis.coefficients(gammas)
    for window in layout.windows():
        own = [y[:, :, *window.slices(side)] for y, side in zip(coefficients, BLOCK_SIDES, strict=True)]
        yield _coded_tile(own, gammas, window, model)


def _coded_tile(coefficients: list[Tensor], gammas: Gammas, window: Window, model: Model) -> CodedTile:
    state = TileState(window, gammas, model.coding)
    blocks, tables = list(range(window.blocks)), model.coding.tables.frequencies
    wanted = [to_blocks(y, side) for y, side in zip(coefficients, BLOCK_SIDES, strict=True)]
    weights = _error_weights(gammas, window)
    records, bits, gains = [], [], []
    for latent, choices in each_latent(state, Choices(coefficients)):
        record = Recorder()
        state.keep(state.code(record, latent, blocks, choices))
        cost = record.bits(tables, 1 if latent == ROOT else window.blocks)
        bits.append(np.repeat(cost / window.blocks, window.blocks) if latent == ROOT else cost)
        gain = torch.zeros(window.blocks)
        for scale in LATENTS[latent].scales:
            own = LATENTS[latent].channels(scale)
            true, found = wanted[scale][:, own], state.values(np.arange(window.blocks), scale)[:, own]
            gain += ((true.square() - (true - found).square()) * weights[scale]).sum((1, 2, 3))
        records.append(record)
        gains.append(gain.double().numpy())
    return CodedTile(window, state.order, records, np.stack(bits), np.stack(gains))


def _error_weights(gammas: Gammas, window: Window) -> list[Tensor]:
    """Squared steps in 8-bit units of each scale's positions, [B, 1, s, s]."""
    steps = gammas.cut(*window.slices(BLOCK // CELL)).steps
    return [to_blocks((step * 255).square(), side) for step, side in zip(steps, BLOCK_SIDES, strict=True)]


def _places(whole: list[Tensor], part: list[Tensor], piece: Window, around: Window) -> Iterator[tuple[Tensor, Tensor]]:
    """For each scale the place of a piece in the whole, and what the piece is there without its margin."""
    for target, values, side in zip(whole, part, BLOCK_SIDES, strict=True):
        yield target[:, :, *piece.slices(side)], values[:, :, *piece.inside(around).slices(side)]
