"""Levels through a coder, channel by channel, each position given what is known around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from progressive.codecs.rmpgc.backbones.lsgan.contexts import SHAPES, TABLE, Ints, passes, rows_of
from progressive.codecs.rmpgc.backbones.lsgan.quantiser import REACH
from progressive.codecs.rmpgc.backbones.lsgan.variants import SIDE, Variant
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, LayerShape
from progressive.exact.coders import SymbolCoder
from progressive.exact.tables import FrequencyTable


class TableCoding:
    """Adaptive arithmetic coding by contexts: counted tables, chosen by integers alone. It runs on the CPU.

    Args:
        variant: what the layers are.
        tables: the table of `contexts`; raises ValueError for another shape.
    """

    def __init__(self, variant: Variant, tables: Mapping[str, FrequencyTable]) -> None:
        if tables[TABLE].frequencies.shape != SHAPES[TABLE]:
            raise ValueError(f"the table {TABLE} has another shape")
        self.variant, self.tables = variant, tables

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        return self.variant.shapes

    def code(
        self,
        coder: SymbolCoder,
        layer: int,
        known: Sequence[Layer],
        items: int,
        rows: int,
        columns: int,
        wanted: Layer | None,
    ) -> Layer:
        """See `masked.model.Coding`; raises BitstreamError where a decoder's code is damaged."""
        ((channels, _),) = self.shapes[layer]
        before = [part.numpy().astype(np.int32) for each in known for part in each]
        busy = sum((np.abs(part).sum(1) for part in before), np.zeros((items, rows * SIDE, columns * SIDE), np.int32))
        first = sum(part.shape[1] for part in before)
        true = None if wanted is None else wanted[0].numpy().astype(np.int32)
        found = []
        for channel in range(channels):
            own = None if true is None else true[:, channel]
            values = _coded_channel(coder, first + channel, np.asarray(busy, np.int32), own)
            busy = busy + np.abs(values)
            found.append(values)
        return [torch.from_numpy(np.stack(found, 1).astype(np.int16))]


def _coded_channel(coder: SymbolCoder, channel: int, busy: Ints, true: Ints | None) -> Ints:
    values = np.zeros_like(busy)
    for place in passes():
        rows = rows_of(place, channel, values, busy)
        items = np.repeat(np.arange(len(busy)), rows[0].size)
        wanted = np.zeros(rows.size, np.int32) if true is None else (true[:, *place.grid] + REACH).astype(np.int32)
        symbols = coder.code(TABLE, rows.ravel(), wanted.ravel(), items)
        values[:, *place.grid] = symbols.reshape(rows.shape) - REACH
    return values
