"""How much parity of the base is due by when: the sparsest even spacing that makes the base safe.

A burst takes neighbours: parity next to the base would be lost with it, parity spread over the stream is not, so that a
base of four packets is safe with nine of them at 10 % loss in bursts of five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from progressive.wire.protection.odds import Odds

BASE_TARGET = 0.9995
"""Wanted probability that a base block is decodable; above the 99.9 % that we promise, as packets differ in size."""

BASE_SHARE = 0.2
"""Most of the bytes that the base's parity may take for that."""


@dataclass(frozen=True, slots=True)
class BaseSchedule:
    """When parity of the base has to be sent, whatever else it would be worth to send.

    Fields:
        start: bytes spent when it begins.
        step: bytes from one packet to the next.
        packets: how many make the base safe.
        size: bytes of one.
    """

    start: float = 0.0
    step: float = inf
    packets: int = 0
    size: int = 0

    def is_due(self, dealt: int, spent: int) -> bool:
        """Whether the packet after `dealt` others has to go now."""
        return spent + self.size >= self.start + (dealt + 1) * self.step

    def promised_bytes(self, dealt: int) -> int:
        """Bytes of the packets that are still to come until the base is safe."""
        return max(0, self.packets - dealt) * self.size


def schedule_base(
    odds: Odds, base: Sequence[int], size: int, start: float, room: float, allowance: float
) -> BaseSchedule:
    """The schedule for base blocks whose sources have been sent.

    Args:
        odds: what they lack.
        base: numbers of the blocks.
        size: bytes of a parity packet.
        start: bytes spent.
        room: bytes in which the base is to become safe.
        allowance: bytes that all parity may take.
    """
    shortest = size / BASE_SHARE
    most = int(max(0.0, min(room / shortest, allowance / size)) / len(base))
    for count in range(most + 1):
        step = room / (count * len(base)) if count else inf
        ends = [int((j + 1) * step * len(base) / size) for j in range(count)]
        gaps = [after - before for before, after in zip([0, *ends], ends, strict=False)]
        if all(odds.probability_after(block, gaps) >= BASE_TARGET for block in base):
            return BaseSchedule(start, step, count * len(base), size)
    return BaseSchedule(start, shortest, most * len(base), size)
