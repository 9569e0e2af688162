"""Tools that policies share: filling slots within a budget, dealing parity to blocks, spreading it behind sources."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from progressive.wire.packet import MAX_INDEX
from progressive.wire.protection.plan import BlockShape, Plan, Progress, Slot


@dataclass(frozen=True, slots=True)
class Item:
    """The next source, or the next parity packet, of a block."""

    block: int
    parity: bool


class PlanBuilder:
    """Appends items until one no longer fits the budget; to what has been sent before, if a stream is under way.

    Fields:
        spent: bytes of the items.
        parity: parity packets of each block so far.
    """

    def __init__(self, blocks: Sequence[BlockShape], budget_bytes: int, progress: Progress | None = None) -> None:
        self.spent = 0
        self.parity = [0] * len(blocks)
        self._blocks = blocks
        self._budget = budget_bytes
        self._slots: list[Slot] = []
        self._sizes: list[int] = []
        self._sources = [0] * len(blocks)
        self._announced = progress.sources if progress else ()
        for slot in progress.sent if progress else ():
            k = blocks[slot.block].k
            if slot.index < k:
                self._sources[slot.block] += 1
            else:
                self.parity[slot.block] = max(self.parity[slot.block], slot.index - k + 1)

    def add(self, item: Item) -> bool:
        """Appends the item's packet; False, and nothing appended, if it is beyond the budget."""
        shape = self._blocks[item.block]
        size = shape.parity_size if item.parity else shape.sizes[self._sources[item.block]]
        if self.spent + size > self._budget:
            return False
        self._slots.append(
            Slot(item.block, self._sources[item.block] + (self.parity[item.block] if item.parity else 0))
        )
        self._sizes.append(size)
        self.spent += size
        (self.parity if item.parity else self._sources)[item.block] += 1
        return True

    def add_all(self, items: Iterable[Item]) -> bool:
        """Appends items in order; False as soon as one does not fit."""
        return all(self.add(item) for item in items)

    def plan(self) -> Plan:
        return Plan(tuple(self._slots), tuple(self._sizes), self._announced or tuple(self._sources))


class ParityDealer:
    """Deals parity packets so that all blocks keep the same redundancy times weight; ties go to the earlier block."""

    def __init__(self, blocks: Sequence[BlockShape], members: Iterable[int], weigh_by_layer: bool) -> None:
        self._blocks = blocks
        self._given = dict.fromkeys(members, 0)
        self._weights = {b: max(1, blocks[b].layer) if weigh_by_layer else 1 for b in self._given}
        self._queue = [(self._next_ratio(b), b) for b in self._given]
        heapq.heapify(self._queue)

    def deal(self, *, max_ratio: float | None = None) -> Item | None:
        """The next parity packet; None if every block has all 256 packets, or the next would pass `max_ratio`."""
        while self._queue:
            ratio, block = self._queue[0]
            if max_ratio is not None and ratio > max_ratio:
                return None
            heapq.heappop(self._queue)
            if self._blocks[block].k + self._given[block] <= MAX_INDEX:
                self._given[block] += 1
                heapq.heappush(self._queue, (self._next_ratio(block), block))
                return Item(block, parity=True)
        return None

    def deal_bytes(self, allowance: float) -> list[Item]:
        """Parity packets of at most `allowance` bytes in all."""
        items: list[Item] = []
        while (item := self.deal()) is not None:
            allowance -= self._blocks[item.block].parity_size
            if allowance < 0:
                break
            items.append(item)
        return items

    def deal_ratio(self, max_ratio: float) -> list[Item]:
        """Parity packets up to this redundancy times weight in every block."""
        items: list[Item] = []
        while (item := self.deal(max_ratio=max_ratio)) is not None:
            items.append(item)
        return items

    def _next_ratio(self, block: int) -> float:
        return (self._given[block] + 1) * self._weights[block] / self._blocks[block].k


def sources_of(blocks: Sequence[BlockShape], members: Iterable[int]) -> list[Item]:
    return [Item(b, parity=False) for b in members for _ in blocks[b].sizes]


def spread_behind_sources(blocks: Sequence[BlockShape], members: Sequence[int], parity: Iterable[Item]) -> list[Item]:
    """The sources of these blocks in order, each block's parity spread evenly over as many packets as the block has.

    A burst of losses in a block is over before most of its parity is sent.
    """
    counts = dict.fromkeys(members, 0)
    for item in parity:
        counts[item.block] += 1
    placed: list[tuple[float, Item]] = [(float(i), item) for i, item in enumerate(sources_of(blocks, members))]
    end = 0
    for b in members:
        end += blocks[b].k
        step = blocks[b].k / max(1, counts[b])
        placed += [(end + (j + 1) * step - 0.5, Item(b, parity=True)) for j in range(counts[b])]
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]
