"""The sender as a state machine: bytes and `now` in, bytes and events out; no sockets, clocks or randomness."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import inf
from typing import Literal

from progressive.errors import UsageError, WireError
from progressive.loss_model import LossModel
from progressive.packing.packed import PackedStream
from progressive.stream import LayeredStream
from progressive.wire.control import Ask, Busy, End, Report, parse_message
from progressive.wire.envelope import Envelope, PlainEnvelope, SealMismatch
from progressive.wire.manifest import Manifest
from progressive.wire.packet import MAX_INDEX, SEALED_OVERHEAD, Kind, Packet
from progressive.wire.protection import Plan, Progress, Slot, replan
from progressive.wire.short import SHORT_END
from progressive.wire.stripes import Stripe, write_stripes
from sender.airtime import Airtime
from sender.announced import announced, encoders_of
from sender.audience import Audience, Listener, Sent
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
from sender.loss_estimate import unanswered
from sender.manifests import Manifests, header_manifests_of
from sender.pace import Pace
from sender.rate_control import RateController
from sender.repair import packets_to_repeat
from sender.sent_packets import Known, SentPackets
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

REPLAN_INTERVAL_S = 0.25
"""Least time between two plans: a plan takes milliseconds, and no flood of reports may keep the sender from sending."""

MUCH_FASTER = 1.1
"""A plan that is at its end is made anew at once if the rate is so much higher than it was made for."""

REPLAN_INTERVAL_S_PER_SLOT = 0.0025
"""The same for long streams, whose plans take as much longer as they have more packets."""

REPLAN_INTERVAL_S_PER_FATE = 1e-5
"""The same for large audiences: what each has of each datagram is looked at, a microsecond a time."""


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
        self._pace = Pace(settings, self.control, now=now)
        self._airtime = airtime or settings.new_airtime()
        self._events: deque[SenderEvent] = deque()
        self._position = 0
        self._planned_bps = 0.0
        self._repairs: deque[Slot] = deque()
        self._sent = SentPackets()
        self._budget = self._until(now, self._deadline)
        self._unsent_size: tuple[int, int | None] | None = None
        self._audience = Audience(settings.expect, serve=settings.serve)
        # Until then receivers of a broadcast may be there that have not reported yet.
        self._audience_known_at = now if settings.serve is None else now + LINGER_S
        self._replan_at = self._audience_known_at
        self._unanswered_at = now + UNANSWERED_S
        self._end_confirmed = self._ending = self.done = False
        self._ends_left = 1 if repeats else END_COPIES
        self._end_due = self._finish_at = self._give_up_at = now
        packed = (
            stream
            if isinstance(stream, PackedStream)
            else PackedStream.of(stream, settings.payload_size, short=settings.short)
        )
        if (packed.payload_size, packed.short) != (settings.payload_size, settings.short):
            raise UsageError("the stream was packed for packets of another size than the settings say: pack it anew")
        self._plan, self._goal, self._shapes, self.packed = announced(packed, settings, self._budget)
        self.stream, self._blocks = self.packed.stream, self.packed.blocks
        self._encoders = encoders_of(self._blocks, self._plan)
        self._planned = [encoder.k for encoder in self._encoders]
        self._base = [number for number, block in enumerate(self._blocks) if block.layer == 0]
        base_bytes = sum(sum(self._shapes[number].sizes) for number in self._base)
        self.manifests = Manifests(stream_id, settings, base_bytes=base_bytes)
        self.last_word = LastWord(self.manifests)
        if settings.short:
            self.manifests.begin(header_manifests_of(self.packed, settings))
        self._follow(self._plan)

    @property
    def offered(self) -> LayeredStream:
        """What has been sent of the stream."""
        if not self.settings.grows:
            return self.stream
        sent = {
            segment
            for slot in self._sent.copies
            if slot.index < self._plan.sources[slot.block]
            for segment in self._blocks[slot.block].packets[slot.index].segments
        }
        return self.stream.keep(segment for segment in self.stream.segments if segment.id in sent)

    @property
    def plan(self) -> Plan:
        """What is sent until the deadline unless reports change it."""
        return self._plan

    @property
    def datagrams_sent(self) -> int:
        """The next sequence number."""
        return len(self._sent)

    @property
    def base_blocks(self) -> int:
        """Blocks of the base, the first ones."""
        return len(self._base)

    @property
    def losses(self) -> LossModel:
        """The losses that are planned for now; for the next stream to the same receivers, what to expect."""
        return self._audience.losses()

    @property
    def known_segments(self) -> frozenset[int]:
        """Ids of the segments that every receiver that reported has, as far as the reports tell; none before."""
        known = [self._segments_of(listener) for listener in self._audience.listeners]
        return frozenset.intersection(*known) if known else frozenset()

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
            sent = Sent(len(self._sent), len(self._blocks), len(self.stream.segments))
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
            self._events.append(RateFollowed(self.control.rate_bps, self.control.queue_s))
        self._events.append(
            ReportReceived(report.loss, report.burst, report.segments, report.burst_s, report.layers, report.receiver)
        )
        self._advance(now)
        if not self._ending and (self.settings.repairs or now >= self._replan_at):
            known = self._known()
            self._repair(known, doubt=False)
            self._replan(known, now)

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
                datagrams.append(self._send_slot(now))
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
        if self._is_all_sent():
            waiting_s = self._replan_at if self._has_more(now=self._replan_at) else self._give_up_at
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
        if self.settings.answers and not self._audience.heard and now >= self._unanswered_at and not self._ending:
            self._unanswered_at = inf
            self._replan(self._known(), now)
        if not self._ending and self._is_all_sent() and self._has_more(now):
            if self._pace.planned_bps > MUCH_FASTER * self._planned_bps:
                self._replan_at = now
            self._replan(self._known(), now)
            if self._is_all_sent() and self._has_more(now):
                return
        if not self._ending and self._is_all_sent() and self._may_repair(now):
            if now < self._give_up_at:
                return
            self._repair(self._known(), doubt=True)
        satisfied = self._audience.complete and now >= self._audience_known_at
        wanted = satisfied or self._is_all_sent() or now >= self._deadline or self._is_off_air()
        if not self._ending and not self._holds_back(now, wanted=wanted) and wanted:
            self._ending = True
            self._end_due = now
        if self._ending and not self._ends_left and now - self._finish_at > STALL_S:
            self._finish_at = now + AFTER_STALL_S
        if self._ending and not self.done and self._is_over(now):
            self.done = True
            silent = self.settings.feedback and not self._audience.heard
            reason: Literal["complete", "deadline", "silence"] = "silence" if silent else "deadline"
            self._events.append(StreamFinished("complete" if self._audience.complete else reason))

    def _is_over(self, now: float) -> bool:
        if self._end_confirmed:
            return True
        listening = self.settings.feedback and not self._audience.complete
        return not self._ends_left and (not listening or now >= self._finish_at)

    def _holds_back(self, now: float, *, wanted: bool) -> bool:
        """Whether the end waits; a radio that may only send so long says it at once, a carousel tells all later."""
        return self._airtime is None and not self._repeats and self.last_word.holds(now, wanted=wanted)

    def _next_send(self) -> float:
        """When the next datagram may go; infinitely late if there is none."""
        if self.last_word.holding and not self._ending:
            return self._ready_at(self._next_size()) if self.manifests.is_due else inf
        if not self._ending:
            return self._ready_at(self._next_size(), then=self._ends_size) if not self._is_all_sent() else inf
        if not self._ends_left:
            return inf
        return max(self._end_due, self._ready_at(self._end_size))

    def _has_more(self, now: float) -> bool:
        """Whether there is more of the stream than was planned, and time for some of it."""
        if not self.settings.grows or now >= self._deadline:
            return False
        if self._unsent_size is None or self._unsent_size[0] != len(self._sent):
            unsent = (
                size
                for number, shape in enumerate(self._shapes)
                for index, size in enumerate(shape.sizes)
                if Slot(number, index) not in self._sent.copies
            )
            self._unsent_size = len(self._sent), next(unsent, None)
        size = self._unsent_size[1]
        return size is not None and size <= self._bytes_left(now)

    def _ready_at(self, size: int, *, then: int = 0) -> float:
        """The earliest time at which the pace lets so many bytes go, and the duty cycle these and so many others."""
        ready_s = self._pace.ready_at(size)
        if self._airtime is None:
            return ready_s
        return max(ready_s, self._airtime.ready_at(self.settings.airtime_of(size + then)))

    def _until(self, now: float, deadline: float) -> int:
        """Bytes that may leave until then; what a duty cycle leaves for the end comes off."""
        if self._airtime is None:
            return int((deadline - now) * self._pace.planned_bps / 8)
        available = self._airtime.available_s(now, deadline) * self.settings.bandwidth_bps / 8
        return max(0, int(available) - self._ends_size)

    def _is_off_air(self) -> bool:
        """Whether the duty cycle lets nothing more go before the deadline."""
        return self._airtime is not None and self._next_send() > self._deadline

    def _is_all_sent(self) -> bool:
        return not self._repairs and self._position == len(self._rest.slots)

    def _next_size(self) -> int:
        """Bytes on the wire of the packet that is next."""
        manifest = self.manifests.next_size(self._sent.bytes)
        if manifest is not None:
            return manifest
        if not self._repairs:
            return self._rest.sizes[self._position]
        slot = self._repairs[0]
        return self._shapes[slot.block].sizes[slot.index]

    def _follow(self, plan: Plan) -> None:
        """Sends the slots of this plan from now on."""
        self._rest = plan
        self._planned_bps = self._pace.planned_bps
        self._position = 0
        for slot in plan.slots:
            self._planned[slot.block] = min(MAX_INDEX, max(self._planned[slot.block], slot.index + 1))

    def _known(self) -> Known:
        return self._sent.known(self._audience, self._plan.sources)

    def _may_repair(self, now: float) -> bool:
        """Whether, once all is sent, a report could still ask for something of the base."""
        if not self.settings.repairs or now >= self._deadline:
            return False
        return not self._audience.heard or not self._known().whole.issuperset(self._base)

    def _repair(self, known: Known, *, doubt: bool) -> None:
        """Puts what is lacking before everything else: of the base, or, for a single receiver, of all that was sent."""
        if self.settings.repairs and self._audience.heard and not self._repairs:
            blocks = self._base
            if self.settings.answers and not doubt:
                # What one receiver lacks came before all that is still to be sent, since it is worth more or others
                # need it; parity would only help once the rest of its block has come.
                blocks = sorted({*blocks, *(slot.block for slot in known.fates)})
            self._repairs.extend(packets_to_repeat(blocks, self._plan.sources, known, self._sent.copies, doubt=doubt))

    def _replan(self, known: Known, now: float) -> None:
        """Plans the rest anew, unless that was done a moment ago."""
        if now < self._replan_at:
            return
        looks = len(self._audience.listeners) * len(self._sent)
        self._replan_at = now + max(
            REPLAN_INTERVAL_S, REPLAN_INTERVAL_S_PER_SLOT * len(self._rest.slots), REPLAN_INTERVAL_S_PER_FATE * looks
        )
        goal = replace(self._goal, budget_bytes=self._bytes_left(now), model=self._losses_ahead(now))
        fates = {**known.fates, **dict.fromkeys(self._repairs)}
        progress = Progress(tuple(fates), tuple(fates.values()), known.whole, self._plan.sources)
        self._follow(replan(self.settings.protection, self._shapes, goal, progress))
        self._events.append(Replanned(self.losses, len(self._rest.slots)))

    def _losses_ahead(self, now: float) -> LossModel:
        """The losses that parity is sent for in advance."""
        if not (self.settings.answers and self._audience.heard):
            return self.losses
        lag_s = max(now - self._sent.sent_s(listener.report.latest) for listener in self._audience.listeners)
        return unanswered(self.losses, left_s=self._deadline - now, lag_s=lag_s)

    def _bytes_left(self, now: float) -> int:
        """Bytes that the bandwidth still pays for until the deadline, the repairs to come taken off."""
        repairs = sum(self._shapes[slot.block].sizes[slot.index] for slot in self._repairs)
        by_time = self._until(now, self._deadline)
        if self.settings.follow:
            # However low the rate is just now, there is a packet to find a higher one with.
            return max(by_time - repairs, self.settings.wire_size(self.settings.packet_size))
        return max(0, min(self._budget - self._sent.bytes, by_time) - repairs)

    def _segments_of(self, listener: Listener) -> frozenset[int]:
        known = self._sent.known_of(listener, self._plan.sources)
        return frozenset(
            segment
            for number, block in enumerate(self._blocks)
            for index, packet in enumerate(block.packets)
            if number in known.whole or (not self._plan.striped and known.fates.get(Slot(number, index)))
            for segment in packet.segments
        )

    def _send_slot(self, now: float) -> bytes:
        repair = bool(self._repairs)
        if repair:
            slot = self._repairs.popleft()
        else:
            slot = self._rest.slots[self._position]
            self._position += 1
        self._give_up_at = now + LINGER_S
        if self._plan.striped:
            return self._send_stripes(slot.index, now)
        encoder = self._encoders[slot.block]
        packet = Packet(
            Kind.DATA,
            self.stream_id,
            len(self._sent),
            encoder.payload(slot.index),
            block=slot.block,
            index=slot.index,
            k=encoder.k,
            n=self._planned[slot.block],
            short=self.settings.short,
        )
        return self._send(packet, "repair" if repair else "source" if slot.index < encoder.k else "parity", now)

    def _send_stripes(self, index: int, now: float) -> bytes:
        stripes = [
            Stripe(block, encoder.k, encoder.payload(encoder.k + index)) for block, encoder in enumerate(self._encoders)
        ]
        payload = write_stripes(stripes)
        packet = Packet(Kind.STRIPES, self.stream_id, len(self._sent), payload, index=index, n=self._planned[0])
        return self._send(packet, "parity", now)

    def _send_ask(self, now: float) -> bytes:
        self._pace.asked()
        message = Ask(stream=self.stream_id).to_bytes()
        packet = Packet(Kind.CONTROL, self.stream_id, len(self._sent), message, short=self.settings.short)
        return self._send(packet, "control", now)

    def _send_end(self, now: float) -> bytes:
        self._ends_left -= 1
        self._end_due = now + END_INTERVAL_S
        self._finish_at = now if self._repeats else now + LINGER_S
        return self._send(self._end_packet(), "control", now)

    @property
    def _end_size(self) -> int:
        """Bytes on the wire of the end."""
        settings = self.settings
        if settings.short:
            return settings.wire_size(SHORT_END + settings.inner_parity)
        return settings.wire_size_of_payload(len(self._end_packet().payload))

    @property
    def _ends_size(self) -> int:
        """Of all copies of the end."""
        return END_COPIES * self._end_size

    def _end_packet(self) -> Packet:
        end = End(stream=self.stream_id, more=self.more, repeats=self._repeats)
        return Packet(Kind.CONTROL, self.stream_id, len(self._sent), end.to_bytes(), short=self.settings.short)

    def _send(self, packet: Packet, kind: PacketKind, now: float) -> bytes:
        datagram = self.envelope.wrap(packet)
        size = self.settings.wire_size(len(datagram))
        self._pace.take(size, now)
        if self._airtime is not None:
            self._airtime.take(self.settings.airtime_of(size), now)
        self._sent.add(None if kind == "control" else Slot(packet.block, packet.index), size, now)
        block = None if kind == "control" else packet.block
        self._events.append(PacketSent(packet.sequence, kind, block, len(datagram)))
        return datagram
