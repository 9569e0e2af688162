"""What left of a stream, and what is known to have arrived of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from progressive.wire.protection import Slot
from sender.audience import Audience, Fate, Listener

REORDERING_S = 0.03
"""A packet that left this long before one that arrived, and did not arrive itself, is lost rather than overtaken."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known to have arrived.

    Fields:
        fates: of every packet that left, by when it left last: it arrived, it is lost, or None if it may still come.
        whole: blocks that can be decoded.
    """

    fates: Mapping[Slot, bool | None]
    whole: frozenset[int]


class SentPackets:
    """The packets of one stream in the order of sending; a packet may be sent again.

    Fields:
        copies: how often each packet was sent.
        bytes: on the wire, of all datagrams.
    """

    def __init__(self) -> None:
        self.copies: Counter[Slot] = Counter()
        self.bytes = 0
        self._slots: list[Slot | None] = []
        self._sent_s: list[float] = []
        self._sizes: list[int] = []
        self._latest_copy: dict[Slot, int] = {}

    def __len__(self) -> int:
        """Datagrams sent: the next sequence number."""
        return len(self._slots)

    def add(self, slot: Slot | None, size: int, now: float) -> None:
        """Notes a datagram of `size` bytes on the wire; `slot` is None for a control message."""
        if slot is not None:
            self.copies[slot] += 1
            self._latest_copy[slot] = len(self._slots)
        self._slots.append(slot)
        self._sent_s.append(now)
        self._sizes.append(size)
        self.bytes += size

    def sent_s(self, sequence: int) -> float:
        """When the datagram of this sequence number left."""
        return self._sent_s[sequence]

    def size(self, sequence: int) -> int:
        """Bytes on the wire of the datagram of this sequence number."""
        return self._sizes[sequence]

    def slots(self) -> list[Slot]:
        """Every packet that left, once, by when it left last."""
        return [slot for number, slot in enumerate(self._slots) if slot and self._latest_copy[slot] == number]

    def known_of(self, listener: Listener, sources: Sequence[int]) -> Known:
        """What one receiver has; `sources` are the source packets of each block."""
        fates = self._fates(listener)
        return Known(fates, _whole_blocks(fates, sources, listener.report.layers))

    def known(self, audience: Audience, sources: Sequence[int]) -> Known:
        """What the share of the audience to serve has: block by block, what all of that share have at least."""
        if not audience.heard:
            return Known(dict.fromkeys(self.slots()), frozenset())
        if len(audience.listeners) == 1:
            return self.known_of(audience.listeners[0], sources)
        fates_of = {listener.report.receiver: self._fates(listener) for listener in audience.listeners}
        arrived = {receiver: _arrived_by_block(fates) for receiver, fates in fates_of.items()}
        fates: dict[Slot, bool | None] = {}
        for block in range(len(sources)):
            last = audience.served(lambda listener, b=block: arrived[listener.report.receiver][b])  # type: ignore[misc]
            fates |= {slot: fate for slot, fate in fates_of[last.report.receiver].items() if slot.block == block}
        layers = audience.served(lambda listener: listener.report.layers).report.layers
        return Known({slot: fates[slot] for slot in self.slots()}, _whole_blocks(fates, sources, layers))

    def _fates(self, listener: Listener) -> dict[Slot, bool | None]:
        settled_s = self._sent_s[listener.report.latest] - REORDERING_S
        fates: dict[Slot, bool | None] = {}
        for number, slot in enumerate(self._slots):
            if slot is None:
                continue
            fate = listener.fate(number)
            if fate is Fate.ARRIVED or fates.get(slot):
                fates[slot] = True
            else:
                fates[slot] = False if fate is Fate.MISSING and self._sent_s[number] <= settled_s else None
        return {slot: fates[slot] for slot in self.slots()}


def _arrived_by_block(fates: Mapping[Slot, bool | None]) -> Counter[int]:
    return Counter(slot.block for slot, fate in fates.items() if fate)


def _whole_blocks(fates: Mapping[Slot, bool | None], sources: Sequence[int], layers: int) -> frozenset[int]:
    """The blocks that can be decoded: the first `layers`, and those of which any k packets arrived."""
    arrived = _arrived_by_block(fates)
    return frozenset(block for block, k in enumerate(sources) if block < layers or arrived[block] >= k > 0)
