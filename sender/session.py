"""The sender as a state machine: bytes and `now` in, bytes and events out; no sockets, clocks or randomness."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from progressive.errors import UsageError, WireError
from progressive.stream import LayeredStream
from progressive.wire.control import End, Report, parse_message
from progressive.wire.fec import BlockEncoder
from progressive.wire.inner_parity import add_inner_parity, correct_datagram
from progressive.wire.packet import MAX_INDEX, Kind, Packet, parse_packet
from progressive.wire.protection import BlockShape, Goal, Plan, plan_protection
from sender.order import order_segments
from sender.pacing import TokenBucket
from sender.packetizer import packetize
from sender.settings import SenderSettings

END_COPIES = 6
"""How often the end is said unless a report confirms it: a burst that takes all of them is rare."""

END_INTERVAL_S = 0.1
LINGER_S = 1.0
"""How long to listen for a last report once the end was said: a round trip over a geostationary satellite."""


@dataclass(frozen=True, slots=True)
class PacketSent:
    """A datagram of `size` bytes left; `block` is None for control messages."""

    sequence: int
    kind: Literal["source", "parity", "control"]
    block: int | None
    size: int


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """The receiver reported: share of datagrams lost, mean number lost in a row, distinct segments it has."""

    loss: float
    burst: float
    segments: int


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """Nothing more will be sent.

    `reason`: "complete", the receiver has every segment; "deadline", all that fits the time was sent; "silence", the
    same, and no receiver was ever heard although one was expected.
    """

    reason: Literal["complete", "deadline", "silence"]


SenderEvent = PacketSent | ReportReceived | StreamFinished


class SenderSession:
    """Sends one stream: the plan's packets at the pace of the bandwidth, then the end.

        plan ──(all sent, deadline, or complete)──> end, repeated ──(confirmed, or time is up)──> done

    Give it what arrives (`receive_datagram`), send what it returns (`datagrams_to_send`), wake it (`handle_timer`) at
    `next_timer()`, read events until there are none. All times are seconds on one clock of the caller's.
    """

    def __init__(
        self, stream: LayeredStream, settings: SenderSettings, *, stream_id: int, now: float, more: bool = False
    ) -> None:
        """
        Args:
            stream: the coded photo; its segments are put in order here, and those that cannot be sent by the deadline
                are cut, the least useful first.
            settings: how to send.
            stream_id: 0..2^32-1, new for every stream to the same receiver.
            now: the start; the deadline counts from here.
            more: another stream follows, the receiver should stay.

        Raises:
            UsageError: the stream does not fit the settings.
        """
        if not 0 <= stream_id <= 0xFFFFFFFF:
            raise UsageError(f"stream id {stream_id} is out of range: use 0 to 2^32-1")
        self.dropped = 0
        self._settings = settings
        self._stream_id = stream_id
        self._more = more
        self._deadline = now + settings.deadline_s
        self._bucket = TokenBucket(settings.bandwidth_bps / 8, settings.wire_size(settings.packet_size), now=now)
        self._events: deque[SenderEvent] = deque()
        self._sequence = 0
        self._position = 0
        self._heard = self._complete = self._end_confirmed = False
        self._ending = self.done = False
        self._ends_left = END_COPIES
        self._end_due = self._finish_at = now
        self.stream, self._plan, self._encoders = _prepare(stream, settings)
        self._planned = [0] * len(self._encoders)
        for slot in self._plan.slots:
            self._planned[slot.block] = min(MAX_INDEX, max(self._planned[slot.block], slot.index + 1))

    @property
    def plan(self) -> Plan:
        """What is sent until the deadline unless the receiver is satisfied earlier."""
        return self._plan

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Takes a datagram of the receiver's; anything but a report about this stream is counted and dropped."""
        if self.done or not self._settings.feedback:
            return
        try:
            report = self._parse_report(data)
        except WireError:
            self.dropped += 1
            return
        self._heard = True
        self._complete = self._complete or report.complete
        self._end_confirmed = self._end_confirmed or (self._ending and report.ended)
        self._events.append(ReportReceived(report.loss, report.burst, report.segments))
        self._advance(now)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """The datagrams that may go at `now`."""
        self._advance(now)
        datagrams = []
        while not self.done and now >= self._next_send():
            datagrams.append(self._send_end(now) if self._ending else self._send_slot(now))
            self._advance(now)
        return datagrams

    def next_timer(self) -> float | None:
        """When to call `handle_timer` at the latest; None once done."""
        if self.done:
            return None
        if self._ending:
            return self._next_send() if self._ends_left else self._finish_at
        return min(self._next_send(), self._deadline)

    def handle_timer(self, now: float) -> None:
        self._advance(now)

    def next_event(self) -> SenderEvent | None:
        return self._events.popleft() if self._events else None

    def _parse_report(self, data: bytes) -> Report:
        packet = parse_packet(correct_datagram(data, self._settings.inner_parity))
        if packet.kind is not Kind.FEEDBACK or packet.stream != self._stream_id:
            raise WireError("not feedback about this stream")
        message = parse_message(packet.payload)
        if not isinstance(message, Report) or message.stream != self._stream_id:
            raise WireError("feedback is not a report about this stream")
        return message

    def _advance(self, now: float) -> None:
        if not self._ending and (self._complete or self._position == len(self._plan.slots) or now >= self._deadline):
            self._ending = True
            self._end_due = now
        if self._ending and not self.done and self._is_over(now):
            self.done = True
            silent = self._settings.feedback and not self._heard
            self._events.append(StreamFinished("complete" if self._complete else "silence" if silent else "deadline"))

    def _is_over(self, now: float) -> bool:
        if self._end_confirmed:
            return True
        listening = self._settings.feedback and not self._complete
        return not self._ends_left and (not listening or now >= self._finish_at)

    def _next_send(self) -> float:
        """When the next datagram may go; infinitely late if there is none."""
        if not self._ending:
            return self._bucket.ready_at(self._plan.sizes[self._position])
        if not self._ends_left:
            return float("inf")
        return max(self._end_due, self._bucket.ready_at(self._settings.wire_size_of_payload(len(self._end_message()))))

    def _send_slot(self, now: float) -> bytes:
        slot = self._plan.slots[self._position]
        self._position += 1
        encoder = self._encoders[slot.block]
        packet = Packet(
            Kind.DATA,
            self._stream_id,
            self._sequence,
            encoder.payload(slot.index),
            block=slot.block,
            index=slot.index,
            k=encoder.k,
            n=self._planned[slot.block],
        )
        return self._send(packet, "source" if slot.index < encoder.k else "parity", now)

    def _send_end(self, now: float) -> bytes:
        self._ends_left -= 1
        self._end_due = now + END_INTERVAL_S
        self._finish_at = now + LINGER_S
        return self._send(Packet(Kind.CONTROL, self._stream_id, self._sequence, self._end_message()), "control", now)

    def _end_message(self) -> bytes:
        return End(stream=self._stream_id, more=self._more).to_bytes()

    def _send(self, packet: Packet, kind: Literal["source", "parity", "control"], now: float) -> bytes:
        datagram = add_inner_parity(packet.to_bytes(), self._settings.inner_parity)
        self._bucket.take(self._settings.wire_size(len(datagram)), now)
        self._sequence += 1
        block = None if kind == "control" else packet.block
        self._events.append(PacketSent(packet.sequence, kind, block, len(datagram)))
        return datagram


def _prepare(stream: LayeredStream, settings: SenderSettings) -> tuple[LayeredStream, Plan, list[BlockEncoder]]:
    """Order, packets and plan; the stream that comes back is the part that the plan sends."""
    ordered = order_segments(stream.segments)
    blocks = packetize(stream.header, ordered, settings.payload_size)
    shapes = [
        BlockShape(block.layer, tuple(settings.wire_size_of_payload(packet.payload_size) for packet in block.packets))
        for block in blocks
    ]
    plan = plan_protection(settings.protection, shapes, Goal(settings.budget_bytes, settings.redundancy))
    sent = {
        segment
        for block, count in zip(blocks, plan.sources, strict=True)
        for packet in block.packets[:count]
        for segment in packet.segments
    }
    kept = stream.keep(segment for segment in ordered if segment.id in sent)
    # Packing the kept part again changes only the number of segments that the header announces.
    encoders = [
        BlockEncoder([packet.payload for packet in block.packets])
        for block in packetize(kept.header, kept.segments, settings.payload_size)
    ]
    return kept, plan, encoders
