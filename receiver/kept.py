"""What a broker had kept, until it is known which of the streams it is of goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from progressive.wire.packet import Packet
from receiver.reassembly import Reassembler
from receiver.settings import ReceiverSettings

MAX_KEPT_STREAMS = 4
"""Streams whose packets are told apart: the one that goes on, and bases of senders that were cut off."""

MAX_KEPT_BYTES = 1 << 22
"""Payload bytes of all of them: several times the base of the largest photo."""


@dataclass(slots=True)
class _Candidate:
    """A stream of which only kept packets came; the reassembler tells when its base is whole."""

    reassembler: Reassembler
    packets: list[tuple[Packet, int]] = field(default_factory=list)


class KeptPackets:
    """Packets that say nothing of who is sending now.

    A sender that was cut off leaves its base at the broker, and the next one replaces only what has the same place in
    it. So such packets wait here until a packet that goes by shows whose they are, or one base is whole.

    Fields:
        latest_at: when the latest of them came; infinitely late if there is none.
    """

    def __init__(self, settings: ReceiverSettings) -> None:
        self.latest_at = inf
        self._settings = settings
        self._candidates: dict[int, _Candidate] = {}
        self._bytes = 0

    def add(self, packet: Packet, size: int, now: float) -> bool:
        """Takes a data packet that came in a datagram of `size` bytes; whether the base of its stream is whole now.

        One too many is dropped. Raises WireError, and changes nothing, if the packet is nonsense or contradicts others
        of its stream.
        """
        candidate = self._candidates.get(packet.stream)
        if self._bytes + size > MAX_KEPT_BYTES or (candidate is None and len(self._candidates) >= MAX_KEPT_STREAMS):
            return False
        candidate = candidate or _Candidate(Reassembler(self._settings))
        candidate.reassembler.add(packet)
        self._candidates[packet.stream] = candidate
        candidate.packets.append((packet, size))
        self._bytes += size
        self.latest_at = now
        return candidate.reassembler.header is not None and candidate.reassembler.base_complete

    def largest(self) -> int:
        """The stream with the most packets; there is one."""
        return max(self._candidates, key=lambda stream: len(self._candidates[stream].packets))

    def take(self, stream_id: int) -> list[tuple[Packet, int]]:
        """The packets of this stream, with the sizes of their datagrams; all others are forgotten."""
        candidate = self._candidates.get(stream_id)
        self._candidates.clear()
        self._bytes, self.latest_at = 0, inf
        return [] if candidate is None else candidate.packets
