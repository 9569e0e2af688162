"""What a plan shows of the picture, and when: the quality that the policies maximise.

Distortions are additive: what a source removes shows as soon as the source has arrived, or its block is decodable, and
everything that it needs is there too. Quality is -10 log10 of the distortion that is left, so that 1 more is 1 dB more
PSNR (weighted by importance, as far as the utilities are). Its expectation is over the fates of all packets together,
as the loss chain draws them; whether the first block, the base, is there is weighted by its exact probability. Time is
measured in bytes sent: at a bandwidth, bytes are time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel
from progressive.wire.protection.fates import Fates, fates_of
from progressive.wire.protection.plan import BlockShape, Goal, Plan, Progress, probability_of_block

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

ASSUMED_RANGE_DB = 15.0
"""How far the enhance packets raise the quality if their utilities are not known."""

LEAST_RESIDUAL_DB = 40.0
"""The whole stream leaves at least this much less distortion than there was."""


@dataclass(frozen=True)
class Sources:
    """All source packets of a stream, in sending order.

    Fields:
        block: number of each one's block, [S].
        start: number of each block's first source, [B].
        size: bytes on the wire, [S].
        utility: distortion that each removes, [S].
        needs: numbers of the sources that each one needs, padded with S, [S, M].
        residual: distortion that is left when all have arrived.
    """

    block: Ints
    start: Ints
    size: Floats
    utility: Floats
    needs: Ints
    residual: float

    @classmethod
    def of(cls, blocks: Sequence[BlockShape]) -> Sources:
        counts = [shape.k for shape in blocks]
        start = np.cumsum([0, *counts])[:-1]
        block = np.repeat(np.arange(len(blocks)), counts)
        size = np.array([size for shape in blocks for size in shape.sizes], dtype=np.float64)
        base = [int(start[b]) + i for b, shape in enumerate(blocks) if shape.layer == 0 for i in range(shape.k)]
        needs: list[list[int]] = []
        for shape in blocks:
            if shape.needs:
                needs += [[int(start[need.block]) + need.index for need in own] for own in shape.needs]
            else:
                needs += [[] if shape.layer == 0 else base for _ in shape.sizes]
        if all(len(shape.utilities) == shape.k for shape in blocks):
            utility = np.array([utility for shape in blocks for utility in shape.utilities], dtype=np.float64)
        else:
            utility = _assumed_utilities(size, in_base=np.isin(np.arange(len(size)), base))
        total = float(utility.sum()) or 1.0
        residual = max(_extrapolated(size, utility, first=len(base)), total * 10 ** (-LEAST_RESIDUAL_DB / 10))
        width = max(map(len, needs), default=0)
        padded = np.array([own + [len(size)] * (width - len(own)) for own in needs], dtype=np.intp)
        return cls(block, start, size, utility, padded.reshape(len(size), width), residual)

    @property
    def total(self) -> float:
        """Distortion of a picture of which nothing has come."""
        return self.residual + float(self.utility.sum())

    @cached_property
    def generations(self) -> list[Ints]:
        """The sources that need others, those first whose needs have none themselves."""
        depth = np.zeros(len(self.size) + 1, dtype=np.intp)
        for source, own in enumerate(self.needs):
            depth[source] = 1 + depth[own[own < len(self.size)]].max(initial=-1)
        return [np.flatnonzero(depth[:-1] == d) for d in range(1, int(depth.max()) + 1)]

    @cached_property
    def needed(self) -> NDArray[np.bool_]:
        """Whether the first source is needed, at first or second hand, by the other, or is it, [S, S]."""
        needed = np.eye(len(self.size) + 1, dtype=np.bool_)
        for source, own in enumerate(self.needs):
            needed[:, source] |= needed[:, own].any(axis=1)
        return needed[:-1, :-1]

    @cached_property
    def needed_blocks(self) -> list[Ints]:
        """The other blocks of which each source needs some."""
        by_block = np.logical_or.reduceat(self.needed, self.start, axis=0)
        return [
            np.flatnonzero(by_block[:, source] & (np.arange(len(by_block)) != b)) for source, b in enumerate(self.block)
        ]

    @cached_property
    def with_dependants(self) -> Floats:
        """Distortion that each source removes together with all that depends on it, [S]."""
        return np.asarray(self.needed @ self.utility)

    @cached_property
    def blocks_with_dependants(self) -> Floats:
        """Distortion that each block removes together with all that depends on any of its sources, [B]."""
        return np.asarray(np.logical_or.reduceat(self.needed, self.start, axis=0) @ self.utility)


def expected_quality(sources: Sources, plan: Plan, model: LossModel, progress: Progress | None = None) -> Floats:
    """Expected quality after each slot of the plan, above that of a picture of which nothing has come, [N], in dB.

    With `progress` the plan is for the rest of a stream, and what is known of its beginning counts.
    """
    if not progress or not (progress.sent or progress.complete):
        fates = fates_of(model, len(plan.slots))
        quality = quality_of_fates(sources, plan, fates.lost)
        return _post_stratified(quality, plan, fates, model)
    fates = fates_of(model, len(progress.sent) + len(plan.slots), progress.arrived)
    whole = replace(plan, slots=progress.sent + plan.slots)
    quality = quality_of_fates(sources, whole, fates.lost, progress.complete)
    return np.asarray(fates.weight @ quality[:, len(progress.sent) :])


def score(quality: Floats, sizes: Sequence[int], goal: Goal) -> float:
    """What the goal maximises, given the quality after each slot: its mean over time to the deadline, or its last."""
    if not len(quality):
        return 0.0
    if goal.objective == "final":
        return float(quality[-1])
    ends = np.append(np.cumsum(sizes), goal.budget_bytes)
    return float(quality @ np.diff(ends) / goal.budget_bytes)


def quality_of_fates(
    sources: Sources, plan: Plan, lost: NDArray[np.bool_], complete: frozenset[int] = frozenset()
) -> Floats:
    """Quality after each slot for each fate, above that of a picture of which nothing has come, [F, N], in dB.

    Args:
        lost: which slots of the plan are lost, [F, N].
        complete: blocks that show from the start.
    """
    fates, slots = lost.shape
    shown = _shown_after(sources, plan, lost, complete)
    flat = shown * fates + np.arange(fates)
    removed = np.bincount(flat.ravel(), np.repeat(sources.utility, fates), minlength=(slots + 1) * fates)
    left = sources.total - np.cumsum(removed.reshape(slots + 1, fates)[:slots], axis=0)
    quality: Floats = -10 * np.log10(np.maximum(left, sources.residual) / sources.total)
    return quality.T


def _shown_after(sources: Sources, plan: Plan, lost: NDArray[np.bool_], complete: frozenset[int]) -> Ints:
    """The slot after which each source shows, [S, F]; the number of slots for never."""
    fates, slots = lost.shape
    positions: list[list[int]] = [[] for _ in plan.sources]
    shown = np.full((len(sources.size) + 1, fates), slots, dtype=np.intp)
    shown[-1] = -1
    arrived = ~lost.T
    sent_as, sent_at = [], []
    for position, slot in enumerate(plan.slots):
        positions[slot.block].append(position)
        if slot.index < plan.sources[slot.block]:
            sent_as.append(int(sources.start[slot.block]) + slot.index)
            sent_at.append(position)
    at = np.array(sent_at, dtype=np.intp)
    shown[sent_as] = np.where(arrived[at], at[:, None], slots)
    for block, own in enumerate(positions):
        k, first = plan.sources[block], int(sources.start[block])
        if block in complete:
            shown[first : first + k] = 0
        elif len(own) > k:
            ends = np.append(own, slots)
            decoded = ends[len(own) - (np.cumsum(arrived[own], axis=0) >= k).sum(axis=0)]
            np.minimum(shown[first : first + k], decoded, out=shown[first : first + k])
    for generation in sources.generations:
        shown[generation] = np.maximum(shown[generation], shown[sources.needs[generation]].max(axis=1))
    return shown[:-1]


def _post_stratified(quality: Floats, plan: Plan, fates: Fates, model: LossModel) -> Floats:
    """The mean over fates, those with and without the first block weighted by its exact probability, [N]."""
    own = plan.slots_of(0)
    k = plan.sources[0]
    exact = probability_of_block(plan, 0, model)
    count = np.zeros(fates.lost.shape, dtype=np.intp)
    count[:, own] = ~fates.lost[:, own]
    whole = np.cumsum(count, axis=1) >= k
    share = fates.weight @ whole
    some = (share > 0) & (share < 1)
    of_whole = np.divide(exact, share, out=np.ones_like(share), where=some)
    of_rest = np.divide(1 - exact, 1 - share, out=np.ones_like(share), where=some)
    mean: Floats = fates.weight @ (quality * np.where(whole, of_whole, of_rest))
    return np.where(share < 1, mean, exact * mean)  # where no drawn fate fails, those that do show nothing


def _assumed_utilities(size: Floats, *, in_base: NDArray[np.bool_]) -> Floats:
    """Utilities by which the base brings most, and enhance packets each as many decibels as they have bytes."""
    enhance = np.where(in_base, 0.0, size)
    share = np.cumsum(enhance) / max(enhance.sum(), 1.0)
    left = 10 ** (-ASSUMED_RANGE_DB / 10 * share)
    utility = -np.diff(np.concatenate([[1.0], left]))
    base = 20.0 * size * in_base / max((size * in_base).sum(), 1.0)
    return np.asarray(utility + base, dtype=np.float64)


def _extrapolated(size: Floats, utility: Floats, *, first: int) -> float:
    """What the distortion beyond the stream would be if it went on falling geometrically with the bytes.

    From the distortions left at one and two thirds of the enhance packets and at the end (Aitken's
    delta-squared process).
    """
    size, utility = size[first:], utility[first:]
    if len(size) < 3:
        return 0.0
    sent = np.cumsum(size)
    left = utility.sum() - np.cumsum(utility)
    early, late = np.interp([sent[-1] / 3, sent[-1] * 2 / 3], sent, left)
    return float(late**2 / (early - 2 * late)) if early > 2.5 * late else float(late)
