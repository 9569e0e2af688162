"""How likely each class is in the next cell of a label map, given those before: exact integers.

A masked 5x5 convolution and three 1x1 convolutions (Iwai et al., section III-D and Fig. 3) over one-hot classes; cells
outside the map have a class of their own. A cell sees two rows above and two cells to its left, so all cells of one
anti-diagonal, column + 3 row, are coded at once.

The network's outputs are logits in `UNITS` a nat. The likeliest class is asked for first: yes or no, then the next one;
each answer's probability is what softmax gives it, as a row of counted frequencies.

Legend: K classes; P cells of an anti-diagonal; N maps of h x w cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.codecs.label_guided.classes import COUNT
from progressive.exact.coders import SymbolCoder
from progressive.exact.layers import MAX_ACTIVATION, UNIT, Conv, layers_of

REACH = 2
"""Cells that are seen to each side."""

SEEN = tuple((row, column) for row in range(-REACH, 1) for column in range(-REACH, REACH + 1) if (row, column) < (0, 0))
"""The cells that a cell sees, from itself."""

WIDTH = 48
OUTSIDE = COUNT
"""The class of cells outside the map."""

STAIR = REACH + 1
"""Columns that an anti-diagonal moves on for a row."""

UNITS = 16
"""Output integers a nat."""

TABLE = "labels"
ROWS = 321
"""Rows of the table: by how many `UNITS` the asked class exceeds all others together, from -160 to 160."""

Ints = NDArray[np.int32]


class LabelPrior(nn.Module):
    """One-hot classes of the cells seen -> logits of the next."""

    def __init__(self, classes: int = COUNT) -> None:
        super().__init__()
        self.classes = classes
        self.see = Conv(len(SEEN) * (classes + 1), WIDTH)
        self.first, self.second = Conv(WIDTH, WIDTH), Conv(WIDTH, WIDTH)
        self.out = Conv(WIDTH, classes, scale=UNITS, activation=False)
        self.kernel = "training"
        with torch.no_grad():
            self.see.weight.mul_(2.0)
            self.out.weight.mul_(0.3)

    def forward(self, seen: Tensor) -> Tensor:
        """[N, 12 (K + 1), h, w] as `seen_cells` gives them -> logits [N, K, h, w], in nats in training."""
        logits: Tensor = self.out(self.second(self.first(self.see(seen))))
        return logits

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def use(self, kernel: str) -> None:
        """Chooses how a frozen network computes; raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        for _, layer in layers_of(self):
            layer.use(kernel)

    def input_of(self, classes: NDArray[np.int8] | NDArray[np.int64]) -> Tensor:
        """The classes that P cells see, [P, 12] -> the network's input, [1, 12 (K + 1), 1, P]."""
        one_hot = np.zeros((len(classes), len(SEEN), self.classes + 1), np.float32)
        np.put_along_axis(one_hot, classes.astype(np.int64)[..., None], MAX_ACTIVATION, 2)
        found = torch.from_numpy(one_hot.reshape(1, 1, len(classes), -1)).permute(0, 3, 1, 2)
        device = self.see.weight.device
        if self.kernel == "training":
            return found.to(device) * UNIT
        return found.to(device, torch.uint8 if self.kernel == "int8" else torch.float32)


def seen_cells(labels: Tensor, classes: int) -> Tensor:
    """The one-hot classes that every cell of whole maps sees: int64 [N, h, w] -> [N, 12 (K + 1), h, w], in 0..255."""
    height, width = labels.shape[1:]
    around = F.pad(labels, (REACH, REACH, REACH, 0), value=classes)
    shifted = [
        around[:, REACH + row : REACH + row + height, REACH + column : REACH + column + width] for row, column in SEEN
    ]
    one_hot = F.one_hot(torch.stack(shifted, 1), classes + 1) * MAX_ACTIVATION
    return one_hot.permute(0, 1, 4, 2, 3).flatten(1, 2).float()


@dataclass(frozen=True)
class Diagonal:
    """Cells that are coded at once. Fields: their rows and columns, [P]."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


@cache
def diagonals(height: int, width: int) -> tuple[Diagonal, ...]:
    """The anti-diagonals of a map in the order of coding, each from the top."""
    return tuple(_diagonals(height, width))


def _diagonals(height: int, width: int) -> Iterator[Diagonal]:
    for number in range(width + STAIR * (height - 1)):
        rows = np.arange(max(0, -(-(number - width + 1) // STAIR)), min(height - 1, number // STAIR) + 1)
        if len(rows):
            yield Diagonal(rows, number - STAIR * rows)


def code_labels(
    prior: LabelPrior, coder: SymbolCoder, height: int, width: int, labels: NDArray[np.int8] | None = None
) -> NDArray[np.int8]:
    """Passes a label map through a coder.

    Args:
        prior: the exact network.
        height, width: of the map.
        labels: 0..K - 1, [height, width]; a decoder has none.
    Returns:
        the map.
    """
    around = np.full((height + REACH, width + 2 * REACH), prior.classes, np.int8)
    inside = around[REACH:, REACH : REACH + width]
    for cells in diagonals(height, width):
        seen = np.stack(
            [around[REACH + cells.rows + row, REACH + cells.columns + column] for row, column in SEEN], axis=1
        )
        logits = prior(prior.input_of(seen))[0, :, 0].T.cpu().numpy().astype(np.int32)
        wanted = None if labels is None else labels[cells.rows, cells.columns].astype(np.int32)
        inside[cells.rows, cells.columns] = code_classes(coder, logits, wanted)
    return inside.copy()


def code_classes(coder: SymbolCoder, logits: Ints, wanted: Ints | None = None) -> NDArray[np.int8]:
    """Asks for one class after the other, the likeliest first.

    Args:
        logits: in `UNITS` a nat, [P, K].
        wanted: the classes, [P]; a decoder has none.
    Returns:
        the classes, [P].
    """
    cells, classes = logits.shape
    order = np.argsort(-logits, axis=1, kind="stable")
    sorted_logits = np.take_along_axis(logits, order, 1)
    rest = sums_of_the_rest(sorted_logits)
    found = order[:, -1].copy()
    left = np.arange(cells)
    for rank in range(classes - 1):
        rows = (sorted_logits[left, rank] - rest[left, rank]).clip(-(ROWS // 2), ROWS // 2) + ROWS // 2
        asked = order[left, rank]
        answer = np.zeros(len(left), np.int32) if wanted is None else (wanted[left] == asked).astype(np.int32)
        answer = coder.code(TABLE, rows.astype(np.int32), answer, np.zeros(len(left), np.int32))
        found[left[answer == 1]] = asked[answer == 1]
        left = left[answer == 0]
        if not len(left):
            break
    return found.astype(np.int8)


def sums_of_the_rest(logits: Ints) -> Ints:
    """What all classes after each have together, as a logit: [P, K] -> [P, K - 1], in `UNITS` a nat."""
    rest = np.empty((len(logits), logits.shape[1] - 1), np.int32)
    together = logits[:, -1]
    for rank in range(logits.shape[1] - 2, -1, -1):
        rest[:, rank] = together
        larger, apart = np.maximum(together, logits[:, rank]), np.abs(together - logits[:, rank])
        together = larger + MORE[np.minimum(apart, len(MORE) - 1)]
    return rest


MORE = np.array([round(float(UNITS * np.log1p(np.exp(-apart / UNITS)))) for apart in range(80)], np.int32)
"""log(exp(a) + exp(b)) - max(a, b) for logits so far apart; no entry is near a half."""


def assumed_yes() -> NDArray[np.float64]:
    """The probability of yes in each row, [rows]: what the logits mean before anything is counted."""
    apart = np.arange(ROWS) - ROWS // 2
    return np.asarray(1 / (1 + np.exp(-apart / UNITS)))
