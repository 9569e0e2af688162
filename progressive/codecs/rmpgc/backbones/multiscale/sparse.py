"""A scale computed only around the coefficients that a level codes: often these are few.

Positions become rows of a matrix, in any order. A layer of 1x1 takes them as they are, one of 3x3 takes rows of the
nine positions around each, from fields with a border of zeros. All layers are exact, so what comes out are the same
integers as from whole scales.

Legend: N blocks; h x w positions of the scale; M positions that matter; C, W channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import MAX_ACTIVATION, Conv, Residual
from progressive.exact.passes import Place

PIECE = 1024
"""Rows that go through a layer at once: kernels are made for each number of rows, so there is one."""

ROOM = 5
"""Side of the field that layers are tried on."""


@dataclass(frozen=True)
class Spots:
    """Some positions of a scale. Fields: theirs among those of [N, h, w] and of [N, h + 2, w + 2], both int64 [M]."""

    inside: Tensor
    bordered: Tensor

    @classmethod
    def at(cls, inside: Tensor, height: int, width: int) -> Spots:
        row, column = inside // width, inside % width
        return cls(inside, (row + row // height * 2 + 1) * (width + 2) + column + 1)

    @classmethod
    def where(cls, mask: Tensor) -> Spots:
        """Those that a mask [N, h, w] tells, in order."""
        return cls.at(mask.flatten().nonzero().squeeze(1), *mask.shape[1:])

    def rows_of(self, values: Tensor) -> Tensor:
        """[N, C, h, w] -> [M, C]."""
        return values.permute(0, 2, 3, 1).flatten(0, 2)[self.inside]

    def around(self, field: Tensor) -> Tensor:
        """The nine positions around each in a field with a border, [N, h + 2, w + 2, C] -> [M, 9 C]."""
        width = field.shape[2]
        steps = torch.tensor([down * width + right for down in (-1, 0, 1) for right in (-1, 0, 1)], device=field.device)
        near = (self.bordered[:, None] + steps).flatten()
        return field.flatten(0, 2)[near].reshape(len(self.bordered), 9 * field.shape[3])

    def field(self, rows: Tensor, shape: torch.Size) -> Tensor:
        """Rows [M, C] as a field with a border, zero elsewhere, [N, h + 2, w + 2, C]; `shape` is (N, h, w)."""
        count, height, width = shape
        field = rows.new_zeros(count, height + 2, width + 2, rows.shape[1])
        field.flatten(0, 2)[self.bordered] = rows
        return field


def grown(mask: Tensor) -> Tensor:
    """A mask [N, h, w] and the positions next to it."""
    rows = mask.clone()
    rows[:, 1:] |= mask[:, :-1]
    rows[:, :-1] |= mask[:, 1:]
    whole = rows.clone()
    whole[:, :, 1:] |= rows[:, :, :-1]
    whole[:, :, :-1] |= rows[:, :, 1:]
    return whole


def through(layer: Conv, rows: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
    """Rows [M, C], or [M, 9 C] for a layer of 3x3, through an exact layer -> [M, W]; `plus` [M, W] as in `Conv`."""
    layer, count = layer.of_rows(), len(rows)
    if not count:
        return rows.new_empty(0, len(layer.weight))
    rows, plus = _in_pieces(rows), None if plus is None else _in_pieces(plus)
    made = []
    for first in range(0, count, PIECE):
        piece = slice(first, first + PIECE)
        y = layer(_as_image(rows[piece]), kind, None if plus is None else _as_image(plus[piece]))
        made.append(y.permute(0, 2, 3, 1).flatten(0, 2))
    return torch.cat(made)[:count]


def through_residual(block: Residual, rows: Tensor, entered: Spots, mask: Tensor) -> Tensor:
    """Rows at the positions `entered`, two around the mask [N, h, w] -> those of the mask."""
    between, spots = Spots.where(grown(mask)), Spots.where(mask)
    field = entered.field(rows, mask.shape)
    first = through(block.first, between.around(field))
    own = field.flatten(0, 2)[spots.bordered]
    return through(block.second, spots.around(between.field(first, mask.shape)), plus=own)


def spots_of(place: Place, mask: Tensor) -> tuple[Spots, Tensor]:
    """The positions of a mask [N, h, w] that a pass codes, and their places among those of the pass, int64 [M]."""
    at = place.of(mask[:, None]).flatten().nonzero().squeeze(1)
    numbers = torch.arange(mask.numel(), device=mask.device).reshape(mask.shape)
    return Spots.at(place.of(numbers[:, None]).flatten()[at], *mask.shape[1:]), at


def spread(rows: Tensor, at: Tensor, shape: torch.Size) -> Tensor:
    """Rows [M, C] at places among those of `shape` (N, h, w), zero elsewhere, [N, C, h, w]."""
    count, height, width = shape
    whole = rows.new_zeros(count * height * width, rows.shape[1])
    whole[at] = rows
    return whole.reshape(count, height, width, rows.shape[1]).permute(0, 3, 1, 2)


def agrees(layer: Conv) -> bool:
    """Whether an exact layer makes of rows what it makes of a whole field, on this machine."""
    numbers, (outputs, inputs, side, _) = made_up_numbers(), layer.weight.shape
    values = [next(numbers) % (MAX_ACTIVATION + 1) for _ in range(inputs * ROOM**2)]
    dtype = torch.uint8 if layer.kernel == "int8" else torch.float32
    field = torch.tensor(values, dtype=dtype).reshape(1, ROOM, ROOM, inputs).permute(0, 3, 1, 2)
    spots = Spots.where(torch.ones(1, ROOM, ROOM, dtype=torch.bool))
    own = spots.rows_of(field)
    rows = own if side == 1 else spots.around(F.pad(field, (1, 1, 1, 1)).permute(0, 2, 3, 1))
    if not layer.activation or outputs > inputs:
        return torch.equal(through(layer, rows), spots.rows_of(layer(field)))
    whole = layer(field, plus=field[:, :outputs].contiguous(memory_format=torch.channels_last))
    return torch.equal(through(layer, rows, plus=own[:, :outputs]), spots.rows_of(whole))


def _in_pieces(rows: Tensor) -> Tensor:
    """Filled up to whole pieces."""
    return F.pad(rows, (0, 0, 0, -len(rows) % PIECE))


def _as_image(rows: Tensor) -> Tensor:
    return rows[None, :, None].permute(0, 3, 1, 2)
