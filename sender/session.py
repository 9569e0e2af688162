"""The sender as a state machine: bytes and `now` in, bytes and events out; no sockets, clocks or randomness."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Literal

from progressive.errors import UsageError, WireError
from progressive.loss_model import LossModel
from progressive.packing.packed import PackedStream
from progressive.stream import LayeredStream
from progressive.wire.control import Ask, Busy, End, Report, parse_message
from progressive.wire.envelope import Envelope, PlainEnvelope, SealMismatch
from progressive.wire.manifest import Manifest
from progressive.wire.packet import SEALED_OVERHEAD, Kind, Packet
from progressive.wire.protection import Plan, Slot
from progressive.wire.short import SHORT_END
from sender.airtime import Airtime
from sender.announced import packed_for
from sender.audience import Audience, Sent
from sender.events import (
    CannotOpen,
    PacketKind,
    PacketSent,
    RateFollowed,
    ReceiverBusy,
    Replanned,
    ReportReceived,
    SenderEvent,
    StreamFinished,
)
from sender.last_word import LastWord
from sender.manifests import Manifests, header_manifests_of
from sender.pace import Pace
from sender.rate_control import RateController
from sender.schedule import Schedule
from sender.sent_packets import SentPackets
from sender.settings import SenderSettings

END_COPIES = 6
"""How often the end is said unless a report confirms it: a burst that takes all of them is rare."""

END_INTERVAL_S = 0.1
LINGER_S = 1.0
"""How long to listen for a last report once all was said: a round trip over a geostationary satellite."""

STALL_S = 0.02
"""A timer that rings this late rings after a stall, of the machine or of this process."""

AFTER_STALL_S = 0.25
"""What came during a stall still waits in the socket: so long it is looked at before silence is judged."""

UNANSWERED_S = 2.0
"""Without a report by then all losses are planned for, as none of them can be answered."""


class SenderSession:
    """Sends one stream: the plan's packets at the pace of the bandwidth, then the end.

        plan ──(all sent, deadline, or complete)──> end, repeated ──(confirmed, or time is up)──> done
         └─<── report: packets of the base sent again, the rest planned anew

    However many reports come and whatever they say, no more is sent than the bandwidth pays for until the deadline.

    Give it what arrives (`receive_datagram`), send what it returns (`datagrams_to_send`), wake it (`handle_timer`) at
    `next_timer()`, read events until there are none. All times are seconds on one clock of the caller's.
    """

    def __init__(
        self,
        stream: LayeredStream | PackedStream,
        settings: SenderSettings,
        *,
        stream_id: int,
        now: float,
        more: bool = False,
        envelope: Envelope | None = None,
        repeats: bool = False,
        airtime: Airtime | None = None,
        control: RateController | None = None,
    ) -> None:
        """
        Args:
            stream: the coded photo, packed or not; segments that cannot be sent by the deadline are cut, the least
                useful first.
            settings: how to send.
            stream_id: 0..2^32-1, new for every stream to the same receiver.
            now: the start; the deadline counts from here.
            more: another stream follows, the receiver should stay.
            envelope: makes datagrams of packets and back; None for a plain one. Sealed as the settings say.
            airtime: of the radio, if it has sent something else before; None for one that has been silent.
            repeats: a carousel follows, receivers that lack something should stay.
            control: of the stream before to the same receiver, where the rate is followed; None begins anew.

        Raises:
            UsageError: the stream does not fit the settings.
        """
        if not 0 <= stream_id <= 0xFFFFFFFF:
            raise UsageError(f"stream id {stream_id} is out of range: use 0 to 2^32-1")
        settings.max_segment_payload()  # raises UsageError if there is no room for any
        self.dropped = 0
        self.settings = settings
        self.envelope = envelope or PlainEnvelope(settings.inner_parity)
        if settings.sealed != (self.envelope.overhead == SEALED_OVERHEAD):
            raise UsageError("settings and envelope differ about sealing: `sealed` goes with a sealed envelope")
        self.stream_id = stream_id
        self.more = more
        self._repeats = repeats
        self._deadline = now + settings.deadline_s
        self.control = (control or RateController(settings.queue_delay_s)) if settings.follow else None
        self._pace = Pace(
            settings, self.control, airtime or settings.new_airtime(), end_bytes=END_COPIES * self._end_size, now=now
        )
        self._sent = SentPackets()
        self._audience = Audience(settings.expect, serve=settings.serve)
        # Until then receivers of a broadcast may be there that have not reported yet.
        self._audience_known_at = now if settings.serve is None else now + LINGER_S
        self._schedule = Schedule(
            packed_for(stream, settings),
            settings,
            stream_id=stream_id,
            deadline=self._deadline,
            now=now,
            pace=self._pace,
            sent=self._sent,
            audience=self._audience,
            replan_at=self._audience_known_at,
        )
        self.stream, self.packed = self._schedule.stream, self._schedule.packed
        self.manifests = Manifests(stream_id, settings, base_bytes=self._schedule.base_bytes)
        self.last_word = LastWord(self.manifests)
        if settings.short:
            self.manifests.begin(header_manifests_of(self.packed, settings))
        self._events: deque[SenderEvent] = deque()
        self._unanswered_at = now + UNANSWERED_S
        self._end_confirmed = self._ending = self.done = False
        self._ends_left = 1 if repeats else END_COPIES
        self._end_due = self._finish_at = self._give_up_at = now

    @property
    def offered(self) -> LayeredStream:
        """What has been sent of the stream."""
        return self._schedule.offered()

    @property
    def plan(self) -> Plan:
        """What is sent until the deadline unless reports change it."""
        return self._schedule.plan

    @property
    def datagrams_sent(self) -> int:
        """The next sequence number."""
        return len(self._sent)

    @property
    def base_blocks(self) -> int:
        """Blocks of the base, the first ones."""
        return len(self._schedule.base)

    @property
    def losses(self) -> LossModel:
        """The losses that are planned for now; for the next stream to the same receivers, what to expect."""
        return self._audience.losses()

    @property
    def known_segments(self) -> frozenset[int]:
        """Ids of the segments that every receiver that reported has, as far as the reports tell; none before."""
        return self._schedule.known_segments()

    def tell(self, manifest: Manifest) -> None:
        """Lets receivers know what is now known of the stream: while its base leaves, and some times later."""
        self.manifests.tell(manifest)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Takes a datagram of a receiver's; anything but a report about this stream that can be true, or the word that
        the receiver is busy, is counted and dropped."""
        if self.done or not self.settings.feedback:
            return
        try:
            report = self._parse_answer(data)
            if isinstance(report, Busy):
                self._events.extend([] if self._audience.heard else [ReceiverBusy()])
                return
            sent = Sent(len(self._sent), len(self.packed.blocks), len(self.stream.segments))
            is_new = self._audience.take(report, now, sent)
        except WireError as error:
            self.dropped += 1
            if isinstance(error, SealMismatch) and not self._audience.heard:
                self._events.append(CannotOpen(str(error)))
            return
        if not is_new:
            return
        self._end_confirmed = self._ending and self._audience.ended
        self._pace.hear(self._audience.listeners[0], self._sent, now)
        if self.control is not None:
            self._events.append(RateFollowed(self.control.rate_bps, self.control.queue_s, self.control.link_bps))
        self._events.append(
            ReportReceived(report.loss, report.burst, report.segments, report.burst_s, report.layers, report.receiver)
        )
        self._advance(now)
        if not self._ending:
            self._note_plan(self._schedule.hear(now))

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """The datagrams that may go at `now`."""
        self._advance(now)
        datagrams = []
        while not self.done and now >= self._next_send():
            if self._ending:
                datagrams.append(self._send_end(now))
            elif self.manifests.next_size(self._sent.bytes) is not None:
                datagrams.append(self._send(self.manifests.packet(len(self._sent)), "control", now))
            else:
                datagrams.append(self._send_next(now))
            if self._pace.is_asking and not self._ending:
                datagrams.append(self._send_ask(now))
            self._advance(now)
        return datagrams

    def next_timer(self) -> float | None:
        """When to call `handle_timer` at the latest; None once done."""
        if self.done:
            return None
        if self._ending:
            return self._next_send() if self._ends_left else self._finish_at
        if self.last_word.holding:
            return min(self._next_send(), self.last_word.look_at)
        waiting_s = inf
        if self._schedule.is_all_sent:
            replan_at = self._schedule.replan_at
            waiting_s = replan_at if self._schedule.has_more(replan_at) else self._give_up_at
        return min(self._next_send(), self._deadline, waiting_s)

    def handle_timer(self, now: float) -> None:
        self._advance(now)

    def next_event(self) -> SenderEvent | None:
        return self._events.popleft() if self._events else None

    def _parse_answer(self, data: bytes) -> Report | Busy:
        packet = self.envelope.unwrap(data)
        if packet.kind is not Kind.FEEDBACK or packet.stream != self.stream_id:
            raise WireError("not feedback about this stream")
        message = parse_message(packet.payload)
        if not isinstance(message, Report | Busy) or message.stream != self.stream_id:
            raise WireError("feedback is not a report about this stream")
        return message

    def _advance(self, now: float) -> None:
        self._pace.advance(now)
        if not self._ending and self._may_end(now):
            self._ending = True
            self._end_due = now
        if self._ending and not self._ends_left and now - self._finish_at > STALL_S:
            self._finish_at = now + AFTER_STALL_S
        if self._ending and not self.done and self._is_over(now):
            self.done = True
            silent = self.settings.feedback and not self._audience.heard
            reason: Literal["complete", "deadline", "silence"] = "silence" if silent else "deadline"
            self._events.append(StreamFinished("complete" if self._audience.complete else reason))

    def _may_end(self, now: float) -> bool:
        """Whether there is nothing more to send, or no time; what was left out, or is lacking, comes first."""
        schedule = self._schedule
        if self.settings.answers and not self._audience.heard and now >= self._unanswered_at:
            self._unanswered_at = inf
            self._note_plan(schedule.replan(now))
        if schedule.is_all_sent and schedule.has_more(now):
            self._note_plan(schedule.extend(now))
            if schedule.is_all_sent and schedule.has_more(now):
                return False
        if schedule.is_all_sent and schedule.may_repair(now):
            if now < self._give_up_at:
                return False
            schedule.doubt()
        satisfied = self._audience.complete and now >= self._audience_known_at
        wanted = satisfied or schedule.is_all_sent or now >= self._deadline or self._is_off_air()
        return not self._holds_back(now, wanted=wanted) and wanted

    def _is_over(self, now: float) -> bool:
        if self._end_confirmed:
            return True
        listening = self.settings.feedback and not self._audience.complete
        return not self._ends_left and (not listening or now >= self._finish_at)

    def _holds_back(self, now: float, *, wanted: bool) -> bool:
        """Whether the end waits; a radio that may only send so long says it at once, a carousel tells all later."""
        return not self._pace.has_duty_cycle and not self._repeats and self.last_word.holds(now, wanted=wanted)

    def _next_send(self) -> float:
        """When the next datagram may go; infinitely late if there is none."""
        if self.last_word.holding and not self._ending:
            return self._pace.ready_at(self._next_size()) if self.manifests.is_due else inf
        if not self._ending:
            return self._pace.ready_at(self._next_size()) if not self._schedule.is_all_sent else inf
        if not self._ends_left:
            return inf
        return max(self._end_due, self._pace.ready_at(self._end_size, is_end=True))

    def _next_size(self) -> int:
        """Bytes on the wire of the packet that is next."""
        manifest = self.manifests.next_size(self._sent.bytes)
        return self._schedule.next_size if manifest is None else manifest

    def _is_off_air(self) -> bool:
        """Whether the duty cycle lets nothing more go before the deadline."""
        return self._pace.has_duty_cycle and self._next_send() > self._deadline

    def _note_plan(self, is_new: bool) -> None:
        if is_new:
            self._events.append(Replanned(self.losses, self._schedule.slots_left))

    def _send_next(self, now: float) -> bytes:
        self._give_up_at = now + LINGER_S
        return self._send(*self._schedule.next_packet(), now)

    def _send_ask(self, now: float) -> bytes:
        self._pace.asked()
        return self._send(self._control(Ask(stream=self.stream_id).to_bytes()), "control", now)

    def _send_end(self, now: float) -> bytes:
        self._ends_left -= 1
        self._end_due = now + END_INTERVAL_S
        self._finish_at = now if self._repeats else now + LINGER_S
        return self._send(self._control(self._end_message()), "control", now)

    def _control(self, message: bytes) -> Packet:
        return Packet(Kind.CONTROL, self.stream_id, len(self._sent), message, short=self.settings.short)

    @property
    def _end_size(self) -> int:
        """Bytes on the wire of the end."""
        settings = self.settings
        if settings.short:
            return settings.wire_size(SHORT_END + settings.inner_parity)
        return settings.wire_size_of_payload(len(self._end_message()))

    def _end_message(self) -> bytes:
        return End(stream=self.stream_id, more=self.more, repeats=self._repeats).to_bytes()

    def _send(self, packet: Packet, kind: PacketKind, now: float) -> bytes:
        datagram = self.envelope.wrap(packet)
        size = self.settings.wire_size(len(datagram))
        self._pace.take(size, now)
        self._sent.add(None if kind == "control" else Slot(packet.block, packet.index), size, now)
        block = None if kind == "control" else packet.block
        self._events.append(PacketSent(packet.sequence, kind, block, len(datagram)))
        return datagram
