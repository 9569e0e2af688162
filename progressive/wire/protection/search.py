"""A plan made slot by slot, each slot given to the packet that is worth most a byte.

What parity is worth follows from the exact distribution of what its block lacks (`Odds`): little right behind its
sources, where a burst would take it too, more once the burst is over. Parity of the base never falls behind its
schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from progressive.wire.packet import MAX_INDEX
from progressive.wire.protection.base_schedule import BaseSchedule, schedule_base
from progressive.wire.protection.builder import Item, PlanBuilder
from progressive.wire.protection.odds import AHEAD, Odds
from progressive.wire.protection.plan import BlockShape, Goal, Plan, Progress, Slot
from progressive.wire.protection.quality import Sources
from progressive.wire.protection.worth import Worth


def search_plan(
    blocks: Sequence[BlockShape], sources: Sources, goal: Goal, progress: Progress, worth: Worth, price: float
) -> Plan:
    """The slots from where the stream has come until the budget is spent.

    Args:
        sources: those of the blocks.
        worth: of distortion over time.
        price: what a byte of parity costs beside a byte of sources.
    """
    search = _Search(blocks, sources, goal, progress, worth, price)
    while (item := search.best()) is not None and search.send(item):
        pass
    return search.builder.plan()


class _Search:
    """Blocks get parity once all their sources are sent; of a given redundancy what the base needs is set aside."""

    def __init__(
        self, blocks: Sequence[BlockShape], sources: Sources, goal: Goal, progress: Progress, worth: Worth, price: float
    ) -> None:
        self.builder = PlanBuilder(blocks, goal.budget_bytes, progress)
        self._worth, self._price = worth, price
        self._k = [shape.k for shape in blocks]
        self._sizes = np.array([shape.parity_size for shape in blocks])
        self._waiting = _waiting_sources(blocks, progress)
        self._position = 0
        self._ready = np.ones(len(blocks), dtype=np.bool_)
        self._ready[[block for _, block, _ in self._waiting] + list(progress.complete)] = False
        self._parity = self.builder.parity
        self._ready &= [self._has_parity(block) for block in range(len(blocks))]
        self._sources, self._loss = sources, goal.model.loss
        self._odds = _odds_so_far(sources, self._k, goal, progress)
        self._most = sources.blocks_with_dependants[:, None, None]
        self._ahead = np.multiply.outer(self._sizes, AHEAD)
        self._base = [b for b, shape in enumerate(blocks) if shape.layer == 0 and b not in progress.complete]
        if all(shape.layer == 0 for shape in blocks):
            self._base = []  # nothing to be kept from it
        self._base_parity = 0
        self._schedule: BaseSchedule | None = None
        source_bytes = sum(sum(shape.sizes) for shape in blocks)
        parity_bytes = sum(shape.parity_size * count for shape, count in zip(blocks, self._parity, strict=True))
        self._allowance = inf if goal.redundancy is None else goal.redundancy * source_bytes - parity_bytes
        # However far the deadline is, the base should be safe by the time that the sources take.
        self._safe_by = min(source_bytes + (0 if self._allowance == inf else self._allowance), goal.budget_bytes)

    def best(self) -> Item | None:
        """What to send next; None if there is nothing."""
        spent = self.builder.spent
        if (due := self._due_of_base(spent)) is not None:
            return due
        parity, rate = self._best_parity(spent)
        if self._position < len(self._waiting):
            number, block, _ = self._waiting[self._position]
            if parity is None or rate <= self._price * self._rate_of_source(number, spent):
                return Item(block, parity=False)
        return parity

    def send(self, item: Item) -> bool:
        """Adds the packet to the plan; False if it is beyond the budget."""
        if not self.builder.add(item):
            return False
        block = item.block
        if item.parity:
            self._odds.send(block, None)
            self._allowance -= self._sizes[block]
            self._base_parity += block in self._base
            self._ready[block] = self._has_parity(block)
        else:
            number, _, index = self._waiting[self._position]
            self._odds.send(block, self._sources.with_dependants[number])
            self._position += 1
            self._ready[block] = index == self._k[block] - 1 and self._has_parity(block)
        return True

    def _has_parity(self, block: int) -> bool:
        """Whether a block has packets that were not sent."""
        return self._k[block] + self._parity[block] <= MAX_INDEX

    def _due_of_base(self, spent: int) -> Item | None:
        if not self._base:
            return None
        if self._schedule is None:
            if not self._ready[self._base].all():
                return None
            size = int(self._sizes[self._base].max())
            room = self._safe_by - spent - size
            self._schedule = schedule_base(self._odds, self._base, size, spent, room, self._allowance)
        if not self._schedule.is_due(self._base_parity, spent):
            return None
        ready = [b for b in self._base if self._ready[b] and self._sizes[b] <= self._allowance]
        return Item(min(ready, key=lambda b: self._parity[b]), parity=True) if ready else None

    def _rate_of_source(self, number: int, spent: int) -> float:
        """Expected worth a byte of a source."""
        size = self._sources.size[number]
        worth = self._worth.decibels(self._sources.utility[number], spent) * self._worth.remaining(spent + size)
        shows = (1 - self._loss) * np.prod(self._odds.present()[self._sources.needed_blocks[number]])
        return float(worth * shows / size)

    def _best_parity(self, spent: int) -> tuple[Item | None, float]:
        """The parity packet that is worth most a byte, and how much."""
        affordable = self._ready
        if self._allowance < inf:
            promised = self._schedule.promised_bytes(self._base_parity) if self._schedule else 0
            spare = np.full(len(self._sizes), self._allowance - promised)
            spare[self._base] = self._allowance
            affordable = affordable & (self._sizes <= spare)
        if not affordable.any():
            return None, 0.0
        worth = self._worth.decibels(np.minimum(self._odds.missing(), self._most), spent)
        rates = (self._odds.gains(worth) * self._worth.remaining(spent + self._ahead) / self._ahead).max(axis=1)
        block = int(np.where(affordable, rates, -1.0).argmax())
        return Item(block, parity=True), float(rates[block])


def _waiting_sources(blocks: Sequence[BlockShape], progress: Progress) -> list[tuple[int, int, int]]:
    """Sources that have not been sent and are still needed: number in the stream, block, index."""
    sent = set(progress.sent)
    all_sources = [(b, i) for b, shape in enumerate(blocks) for i in range(shape.k)]
    return [
        (number, b, i)
        for number, (b, i) in enumerate(all_sources)
        if Slot(b, i) not in sent and b not in progress.complete
    ]


def _odds_so_far(sources: Sources, ks: Sequence[int], goal: Goal, progress: Progress) -> Odds:
    """What the blocks lack, given what was sent and what is known of it."""
    distortions = np.split(sources.with_dependants, sources.start[1:])
    odds = Odds(goal.model, distortions)
    for slot, arrived in zip(progress.sent, progress.arrived, strict=True):
        source = slot.index < ks[slot.block]
        odds.send(slot.block, distortions[slot.block][slot.index] if source else None)
        if arrived is not None:
            odds.observe(arrived=arrived)
    for block in progress.complete:
        odds.complete(block)
    return odds
