"""From a photo to label map and latent at a level, and what each group costs and gains.

Legend: B blocks of a tile; C coefficients, h x w cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS, ROOT
from progressive.codecs.label_guided.header import Parameters
from progressive.codecs.label_guided.layout import MARGIN, SIDE, Layout
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, HYPER_REACH
from progressive.codecs.label_guided.steps import step_of
from progressive.codecs.label_guided.tile import TileState, each_group, to_blocks, window_of
from progressive.exact.records import Recorder
from progressive.runtime.precision import fast_floats
from progressive.segments.pieces import padded, pieces, with_margin
from progressive.segments.tiles import BLOCK, Window

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class CodedTile:
    """A tile as it can be sent.

    Fields:
        window: its blocks in the photo.
        order: its blocks as the first group lists them.
        records: what each group writes.
        bits: what each group of each block costs, [groups, B]; of the first one equal shares.
        gains: squared error, in 8-bit steps summed over samples, that each group of each block removes, [groups, B].
    """

    window: Window
    order: tuple[int, ...]
    records: list[Recorder]
    bits: Numbers
    gains: Numbers


@dataclass(frozen=True)
class Analysed:
    """A photo at a level. Fields: coefficients in steps [1, C, h, w]; the hyperprior, int32 [8, R, K]."""

    coefficients: Tensor
    hyper: NDArray[np.int32]


def analysed(photo: Photo, level: int, model: Model) -> Analysed:
    """What the encoder's networks make of a photo [H, W, 3]."""
    layout = Layout(photo.shape[1], photo.shape[0])
    coefficients = torch.empty(1, CHANNELS, layout.rows * SIDE, layout.columns * SIDE)
    hyper = torch.empty(1, HYPER_CHANNELS, layout.rows, layout.columns)
    levels = torch.tensor([level])
    for piece in pieces(layout, MARGIN):
        around = with_margin(piece, layout, MARGIN)
        pixels = padded(photo, around)
        found = model.linear.analyse(pixels) / step_of(level)
        with fast_floats(torch.device("cpu")):
            found = found + model.analysis(pixels, levels).float()
            own = model.hyper_analysis(found, levels).float()
        coefficients[:, :, *piece.slices(SIDE)] = found[:, :, *piece.inside(around).slices(SIDE)]
        hyper[:, :, *piece.slices()] = own[:, :, *piece.inside(around).slices()]
    symbols = hyper.round().clamp(-HYPER_REACH, HYPER_REACH)[0].to(torch.int32).numpy()
    return Analysed(coefficients, symbols)


def coded_tiles(
    photo: Photo, labels: NDArray[np.int8] | None, parameters: Parameters, model: Model
) -> Iterator[CodedTile]:
    """Codes a photo's tiles, row by row.

    Args:
        labels: the class of each of its cells, or none for a stream without.
    """
    layout = Layout(photo.shape[1], photo.shape[0], parameters.tile_side)
    whole = analysed(photo, parameters.level, model)
    for window in layout.windows():
        rows, columns = window.slices()
        hyper = np.ascontiguousarray(whole.hyper[:, rows, columns])
        own = None if labels is None else window_of(labels, window)
        choices = Choices(whole.coefficients[:, :, *window.slices(SIDE)], hyper, own)
        yield _coded_tile(choices, layout, window, parameters, model)


def _coded_tile(choices: Choices, layout: Layout, window: Window, parameters: Parameters, model: Model) -> CodedTile:
    state = TileState(layout, window, parameters.level, parameters.blank, model.coding)
    blocks, tables = list(range(window.blocks)), model.coding.tables.frequencies
    wanted, records, bits, gains = to_blocks(choices.values), [], [], []
    for group, own in each_group(choices):
        record = Recorder()
        state.keep(state.code(record, group, blocks, own))
        cost = record.bits(tables, 1 if group == ROOT else window.blocks)
        bits.append(np.repeat(cost / window.blocks, window.blocks) if group == ROOT else cost)
        true, found = wanted[:, GROUPS[group]], state.values()[:, GROUPS[group]]
        gain = (true.square() - (true - found).square()).sum((1, 2, 3)) * (step_of(parameters.level) * 255) ** 2
        records.append(record)
        gains.append(gain.double().numpy())
    return CodedTile(window, state.order, records, np.stack(bits), np.stack(gains))


def pixels_of_blocks(worth: Numbers, layout: Layout) -> Numbers:
    """Values of blocks [rows, columns] at each pixel, [H, W]."""
    return worth.repeat(BLOCK, 0).repeat(BLOCK, 1)[: layout.height, : layout.width]
