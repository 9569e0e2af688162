"""The linear start: a Karhunen-Loeve transform of cells, and the order in which binary codes refine its coefficients.

Without any network a code is the sign of what is left of one coefficient, and moves it by one step, as in successive
approximation; networks learn from there. Which coefficient each code refines is settled on photos, greedily: always the
one with the largest error left. Codes of an iteration that refine the same coefficient do so one after the other.

Legend: N photos; K iterations; B codes a cell and iteration; C coefficients a cell; h x w cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.recurrent.layout import BITS, CELL, ITERATIONS

COEFFICIENTS = 256
"""Of the 768 of a cell: what 24 iterations refine."""

SAMPLES = 3 * CELL * CELL


class Linear(nn.Module):
    """The transform and the steps.

    `coefficient` says which coefficient each code refines and `depth` how many codes of the same iteration refine it
    before, both [K, B]; `step` are the steps, [K, B], and `start` the coefficients before the first one, [C].
    """

    coefficient: Tensor
    depth: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.analysis = nn.Parameter(torch.zeros(COEFFICIENTS, SAMPLES))
        self.synthesis = nn.Parameter(torch.zeros(SAMPLES, COEFFICIENTS))
        self.start = nn.Parameter(torch.zeros(COEFFICIENTS))
        self.step = nn.Parameter(torch.ones(ITERATIONS, BITS))
        self.register_buffer("coefficient", torch.zeros(ITERATIONS, BITS, dtype=torch.int64))
        self.register_buffer("depth", torch.zeros(ITERATIONS, BITS, dtype=torch.int64))

    def analyse(self, pictures: Tensor) -> Tensor:
        """[N, 3, 16 h, 16 w] -> coefficients [N, C, h, w]."""
        return F.conv2d(F.pixel_unshuffle(pictures, CELL), self.analysis[:, :, None, None])

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """[N, C, h, w] -> pictures about zero, [N, 3, 16 h, 16 w]."""
        return F.pixel_shuffle(F.conv2d(coefficients, self.synthesis[:, :, None, None]), CELL)

    def steps(self, iteration: int, gains: Tensor | None) -> Tensor:
        """How far each code moves its coefficient: the iteration's steps times gains, [N, B, h, w] or [1, B, 1, 1]."""
        steps = self.step[iteration].view(1, BITS, 1, 1)
        return steps if gains is None else steps * gains

    def moved(self, coefficients: Tensor, iteration: int, moves: Tensor) -> Tensor:
        """Coefficients [N, C, h, w] after the moves of an iteration's codes, [N, B, h, w]."""
        return coefficients.index_add(1, self.coefficient[iteration], moves.to(coefficients.dtype))

    def depths(self, iteration: int) -> list[Tensor]:
        """The codes of an iteration, those first that others follow from: indices, no coefficient twice in a tensor."""
        depth = self.depth[iteration]
        return [torch.nonzero(depth == d)[:, 0] for d in range(int(depth.max()) + 1)]
