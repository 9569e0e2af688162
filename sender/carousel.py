"""A stream sent again and again, for receivers that come at any time and for what the others lost."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import cycle

from progressive.errors import UsageError, WireError
from progressive.wire.control import End, Report, parse_message
from progressive.wire.envelope import SealMismatch
from progressive.wire.packet import Kind, Packet
from sender.audience import FORGET_S, MAX_LISTENERS, REPORT_INTERVAL_S, Sent, check_report
from sender.events import CannotOpen, PacketSent, ReportReceived, SenderEvent, StreamFinished
from sender.pacing import TokenBucket
from sender.session import END_INTERVAL_S, SenderSession

MANIFEST_SHARE = 0.01
"""Of the bytes, for what is told of the stream."""

BASE_SHARE = 0.2
"""Of the bytes, for the base: who comes later waits five times as long for it as it takes, and who has it loses a
fifth."""

END_EVERY_S = 1.0
"""How often those who have everything are told that they may go."""

END_COPIES = 3

LAST_SEQUENCE = 0xFFFFFFFF - END_COPIES
"""A carousel stops before its sequence numbers are used up, after years at 50 kbit/s."""


class CarouselSession:
    """Goes round, at the pace of the bandwidth, until it is stopped.

        base ────┬─> interleaved by bytes ─> packets under further sequence numbers; every second an end that `repeats`
        enhance ─╯

    Made from the session that sent the stream first, and used in the same way. A report says only who is there.
    """

    def __init__(self, first: SenderSession, *, now: float) -> None:
        """`first`: of the stream, over; its settings, envelope and sequence numbers are continued.

        Raises UsageError for a stream of stripes, of which no packet may come twice.
        """
        settings = first.settings
        if first.plan.striped:
            raise UsageError("a stream of stripes cannot be repeated: use another protection than pet")
        self.done = False
        self.dropped = 0
        self._first, self._settings = first, settings
        self._sequence = first.datagrams_sent
        self._bucket = TokenBucket(settings.bandwidth_bps / 8, settings.burst_bytes, now=now)
        self._events: deque[SenderEvent] = deque()
        self._heard: dict[int, float] = {}
        blocks = first.packed.blocks
        self._blocks = len(blocks)
        packets = [
            Packet(
                Kind.DATA,
                first.stream_id,
                0,
                source.payload,
                number,
                index,
                len(block.packets),
                len(block.packets),
                settings.short,
            )
            for number, block in enumerate(blocks)
            for index, source in enumerate(block.packets)
        ]
        base = [packet for packet in packets if packet.block < first.base_blocks]
        enhance = [packet for packet in packets if packet.block >= first.base_blocks]
        self._base = cycle(base if enhance else ())
        self._round = cycle(enhance or base)
        self._base_bytes = self._manifest_bytes = self._bytes = 0
        self._ends_left: int | None = None
        self._end_due = now + END_EVERY_S
        self._next = self._choose(now)

    @property
    def listeners(self) -> int:
        """Receivers that reported, without those that more than a minute ago did so last and made room for others."""
        return len(self._heard)

    def stop(self, now: float) -> None:
        """Nothing follows but the end."""
        if self._ends_left is None:
            self._ends_left, self._end_due = END_COPIES, now
            self._next = self._choose(now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Takes a datagram of a receiver's; anything but a report about this stream that can be true is counted and
        dropped."""
        if self.done or not self._settings.feedback:
            return
        try:
            self._take(self._parse_report(data), now)
        except WireError as error:
            self.dropped += 1
            if isinstance(error, SealMismatch) and not self._heard:
                self._events.append(CannotOpen(str(error)))

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """The datagrams that may go at `now`."""
        datagrams = []
        while not self.done and now >= self._ready_at():
            datagrams.append(self._send(now))
        return datagrams

    def next_timer(self) -> float | None:
        """When to call `handle_timer` at the latest; None once done."""
        return None if self.done else self._ready_at()

    def handle_timer(self, now: float) -> None:
        """Nothing changes by time alone."""

    def next_event(self) -> SenderEvent | None:
        return self._events.popleft() if self._events else None

    def _choose(self, now: float) -> Packet:
        """The next packet."""
        if self._ends_left is not None or now >= self._end_due:
            return self._end(repeats=self._ends_left is None)
        manifests = self._first.manifests
        if not manifests.is_empty and self._manifest_bytes <= MANIFEST_SHARE * self._bytes:
            self._manifest_bytes += manifests.repeat()
        if manifests.is_due:
            return manifests.packet(0)
        if self._base_bytes <= BASE_SHARE * self._bytes:
            packet = next(self._base, None)
            if packet is not None:
                self._base_bytes += self._size(packet)
                return packet
        return next(self._round)

    def _end(self, *, repeats: bool) -> Packet:
        end = End(stream=self._first.stream_id, more=self._first.more, repeats=repeats)
        return Packet(Kind.CONTROL, self._first.stream_id, 0, end.to_bytes(), short=self._settings.short)

    def _size(self, packet: Packet) -> int:
        return self._settings.wire_size_of_payload(len(packet.payload))

    def _ready_at(self) -> float:
        ready_s = self._bucket.ready_at(self._size(self._next))
        return ready_s if self._ends_left is None else max(ready_s, self._end_due)

    def _send(self, now: float) -> bytes:
        packet = replace(self._next, sequence=self._sequence)
        datagram = self._first.envelope.wrap(packet)
        size = self._size(packet)
        self._bucket.take(size, now)
        self._bytes += size
        self._sequence += 1
        control = packet.kind is Kind.CONTROL
        told = control or packet.kind is Kind.MANIFEST
        block = None if told else packet.block
        self._events.append(PacketSent(packet.sequence, "control" if told else "source", block, len(datagram)))
        self._note_end(now, control=control)
        if not self.done:
            self._next = self._choose(now)
        return datagram

    def _note_end(self, now: float, *, control: bool) -> None:
        if self._ends_left is not None:
            self._ends_left -= control
            self._end_due = now + END_INTERVAL_S
            self.done = not self._ends_left
        elif control:
            self._end_due = now + END_EVERY_S
        elif self._sequence >= LAST_SEQUENCE:
            self.stop(now)
        if self.done:
            self._events.append(StreamFinished("deadline"))

    def _parse_report(self, data: bytes) -> Report:
        packet = self._first.envelope.unwrap(data)
        if packet.kind is not Kind.FEEDBACK or packet.stream != self._first.stream_id:
            raise WireError("not feedback about this stream")
        message = parse_message(packet.payload)
        if not isinstance(message, Report) or message.stream != self._first.stream_id:
            raise WireError("feedback is not a report about this stream")
        return message

    def _take(self, report: Report, now: float) -> None:
        check_report(report, Sent(self._sequence, self._blocks, len(self._first.stream.segments)))
        heard_s = self._heard.get(report.receiver)
        if heard_s is None and len(self._heard) >= MAX_LISTENERS:
            self._heard = {receiver: at for receiver, at in self._heard.items() if now - at < FORGET_S}
            if len(self._heard) >= MAX_LISTENERS:
                raise WireError(f"more than {MAX_LISTENERS} receivers report")
        if heard_s is not None and now - heard_s < REPORT_INTERVAL_S and not report.complete:
            raise WireError("reports come too fast")
        self._heard[report.receiver] = now
        self._events.append(
            ReportReceived(report.loss, report.burst, report.segments, report.burst_s, report.layers, report.receiver)
        )
