"""The fates of a stream's packets: in the order of sending, and by Reed-Solomon block."""

from __future__ import annotations

from dataclasses import dataclass, field

from receiver.events import PacketReceived, PacketRecovered
from receiver.loss_statistics import LATE_START

SOURCE, PARITY, STRIPES, CONTROL, LOST = "s", "p", "t", "c", "x"
"""What came, by the order of sending; a capital letter if it came late."""

MISSING, ARRIVED, RESTORED = ".", "s", "r"
"""The source packets of a block."""

MOST_FATES = 4096
"""Packets of a stream whose fates are kept: more cells than a page shows."""

MOST_BLOCKS = 512
"""Blocks of a stream that are shown: some 16,000 packets."""

_MARKS = {"source": SOURCE, "parity": PARITY, "stripes": STRIPES, "control": CONTROL}


@dataclass(slots=True)
class Block:
    """One block.

    Fields:
        k: its source packets.
        sources: a mark for each of them.
        parity: other packets of it that came; any k packets give the block.
    """

    k: int
    sources: bytearray
    parity: set[int] = field(default_factory=set)

    @property
    def whole(self) -> bool:
        return self.k - self.sources.count(MISSING.encode()) + len(self.parity) >= self.k


class PacketMap:
    """The packets of one stream.

    Fields:
        start: sequence number of the first fate that is kept.
        fates: a mark for each packet from there on.
        blocks: by number.
        late: packets that came after later ones.
    """

    def __init__(self) -> None:
        self.start = 0
        self.fates = ""
        self.blocks: dict[int, Block] = {}
        self.late = 0

    def add(self, packet: PacketReceived) -> None:
        mark = _MARKS[packet.kind]
        self.late += packet.late
        self._place(packet.sequence, mark.upper() if packet.late else mark)
        for number, k in packet.blocks:
            block = self._block(number, k)
            if block is None:
                continue
            if packet.kind == "source" and packet.index < block.k:
                block.sources[packet.index] = ord(ARRIVED)
            else:
                block.parity.add(packet.index)

    def restore(self, packet: PacketRecovered) -> None:
        block = self.blocks.get(packet.block)
        if block is not None and packet.index < block.k and block.sources[packet.index] == ord(MISSING):
            block.sources[packet.index] = ord(RESTORED)

    def _place(self, sequence: int, mark: str) -> None:
        if not self.fates and sequence >= LATE_START:
            self.start = sequence  # who starts listening late is not told of losses before
        place = sequence - self.start
        if place < 0:
            return
        gap = place - len(self.fates)
        if gap >= MOST_FATES:
            self.start, self.fates, place, gap = sequence, "", 0, 0
        self.fates = self.fates[:place] + LOST * gap + mark + self.fates[place + 1 :]
        excess = len(self.fates) - MOST_FATES
        if excess > 0:
            self.start += excess
            self.fates = self.fates[excess:]

    def _block(self, number: int, k: int) -> Block | None:
        if number not in self.blocks:
            if len(self.blocks) >= MOST_BLOCKS:
                return None
            self.blocks[number] = Block(k, bytearray(MISSING.encode() * k))
        return self.blocks[number]
