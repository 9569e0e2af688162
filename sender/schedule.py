"""What of a stream is sent next: a plan's packets in their order, made anew by reports, and first what is lacking."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from progressive.loss_model import LossModel
from progressive.packing.packed import PackedStream
from progressive.stream import LayeredStream
from progressive.wire.packet import MAX_INDEX, Kind, Packet
from progressive.wire.protection import Plan, Progress, Slot, replan
from progressive.wire.stripes import Stripe, write_stripes
from sender.announced import announced, encoders_of
from sender.audience import Audience, Listener
from sender.events import PacketKind
from sender.loss_estimate import unanswered
from sender.pace import Pace
from sender.repair import packets_to_repeat
from sender.sent_packets import Known, SentPackets
from sender.settings import SenderSettings

REPLAN_INTERVAL_S = 0.25
"""Least time between two plans: a plan takes milliseconds, and no flood of reports may keep the sender from sending."""

REPLAN_INTERVAL_S_PER_SLOT = 0.0025
"""The same for long streams, whose plans take as much longer as they have more packets."""

REPLAN_INTERVAL_S_PER_FATE = 1e-5
"""The same for large audiences: what each has of each datagram is looked at, a microsecond a time."""

MUCH_FASTER = 1.1
"""A plan that is at its end is made anew at once if the rate is so much higher than it was made for."""


class Schedule:
    """The packets of one stream, in the order in which they go.

        plan ──> slots, one after the other ──> all sent
         └─<── what has arrived: packets that are lacking go first, the rest is planned anew

    It reads what has left, what the audience reports and what the pace allows; who sends keeps these up to date. All
    times are seconds on one clock of the caller's.

    Fields:
        stream, packed: the part of the stream that is announced to receivers.
        plan: what was announced, with the source packets of each block.
        base: numbers of the blocks of the base, the first ones.
        base_bytes: of their source packets on the wire.
        replan_at: when the rest may be planned anew.
    """

    def __init__(
        self,
        packed: PackedStream,
        settings: SenderSettings,
        *,
        stream_id: int,
        deadline: float,
        now: float,
        pace: Pace,
        sent: SentPackets,
        audience: Audience,
        replan_at: float,
    ) -> None:
        """
        Args:
            packed: the coded photo; segments that cannot be sent by the deadline are cut, the least useful first.
            settings: how to send.
            stream_id: that packets carry.
            deadline: until when everything has to have left.
            now: the time.
            pace: how much may leave until then.
            sent: what has left.
            audience: whom it is for.
            replan_at: before then, nothing is planned anew.
        """
        self._settings, self._stream_id, self._deadline = settings, stream_id, deadline
        self._pace, self._sent, self._audience = pace, sent, audience
        self.replan_at = replan_at
        self._budget = pace.bytes_until(deadline, now)
        self.plan, self._goal, self._shapes, self.packed = announced(packed, settings, self._budget)
        self.stream, self._blocks = self.packed.stream, self.packed.blocks
        self._encoders = encoders_of(self._blocks, self.plan)
        self._most = [encoder.k for encoder in self._encoders]
        self.base = [number for number, block in enumerate(self._blocks) if block.layer == 0]
        self.base_bytes = sum(sum(self._shapes[number].sizes) for number in self.base)
        self._repairs: deque[Slot] = deque()
        self._unsent_size: tuple[int, int | None] | None = None
        self._follow(self.plan)

    @property
    def slots_left(self) -> int:
        """Packets of the present plan that have not left."""
        return len(self._rest.slots) - self._position

    @property
    def is_all_sent(self) -> bool:
        return not self._repairs and not self.slots_left

    @property
    def next_size(self) -> int:
        """Bytes on the wire of the packet that is next."""
        return self._size_of(self._repairs[0]) if self._repairs else self._rest.sizes[self._position]

    def next_packet(self) -> tuple[Packet, PacketKind]:
        """The packet that is next, which leaves now."""
        repair = bool(self._repairs)
        if repair:
            slot = self._repairs.popleft()
        else:
            slot = self._rest.slots[self._position]
            self._position += 1
        if self.plan.striped:
            return self._packet_of_stripes(slot.index), "parity"
        encoder = self._encoders[slot.block]
        packet = Packet(
            Kind.DATA,
            self._stream_id,
            len(self._sent),
            encoder.payload(slot.index),
            block=slot.block,
            index=slot.index,
            k=encoder.k,
            n=self._most[slot.block],
            short=self._settings.short,
        )
        return packet, "repair" if repair else "source" if slot.index < encoder.k else "parity"

    def hear(self, now: float) -> bool:
        """A report came: what is lacking goes first, and the rest is planned anew unless that was done a moment ago;
        whether it was."""
        if not self._settings.repairs and now < self.replan_at:
            return False
        known = self._known()
        self._repair(known, doubt=False)
        return self._replan(known, now)

    def doubt(self) -> None:
        """What may still come has been on its way for too long: it is taken for lost, and sent again."""
        self._repair(self._known(), doubt=True)

    def replan(self, now: float) -> bool:
        """Plans the rest anew, unless that was done a moment ago; whether it was."""
        return self._replan(self._known(), now)

    def extend(self, now: float) -> bool:
        """The same once all that was planned is sent; at once if the rate has become much higher."""
        if self._pace.planned_bps > MUCH_FASTER * self._planned_bps:
            self.replan_at = now
        return self.replan(now)

    def has_more(self, now: float) -> bool:
        """Whether there is more of the stream than was planned, and time for some of it."""
        if not self._settings.grows or now >= self._deadline:
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

    def may_repair(self, now: float) -> bool:
        """Whether, once all is sent, a report could still ask for something of the base."""
        if not self._settings.repairs or now >= self._deadline:
            return False
        return not self._audience.heard or not self._known().whole.issuperset(self.base)

    def offered(self) -> LayeredStream:
        """What has been sent of the stream."""
        if not self._settings.grows:
            return self.stream
        sent = {
            segment
            for slot in self._sent.copies
            if slot.index < self.plan.sources[slot.block]
            for segment in self._blocks[slot.block].packets[slot.index].segments
        }
        return self.stream.keep(segment for segment in self.stream.segments if segment.id in sent)

    def known_segments(self) -> frozenset[int]:
        """Ids of the segments that every receiver that reported has, as far as the reports tell; none before."""
        known = [self._segments_of(listener) for listener in self._audience.listeners]
        return frozenset.intersection(*known) if known else frozenset()

    def _follow(self, plan: Plan) -> None:
        """Sends the slots of this plan from now on."""
        self._rest = plan
        self._planned_bps = self._pace.planned_bps
        self._position = 0
        for slot in plan.slots:
            self._most[slot.block] = min(MAX_INDEX, max(self._most[slot.block], slot.index + 1))

    def _known(self) -> Known:
        return self._sent.known(self._audience, self.plan.sources)

    def _repair(self, known: Known, *, doubt: bool) -> None:
        """Puts what is lacking before everything else: of the base, or, for a single receiver, of all that was sent."""
        if self._settings.repairs and self._audience.heard and not self._repairs:
            blocks = self.base
            if self._settings.answers and not doubt:
                # What one receiver lacks came before all that is still to be sent, since it is worth more or others
                # need it; parity would only help once the rest of its block has come.
                blocks = sorted({*blocks, *(slot.block for slot in known.fates)})
            self._repairs.extend(packets_to_repeat(blocks, self.plan.sources, known, self._sent.copies, doubt=doubt))

    def _replan(self, known: Known, now: float) -> bool:
        if now < self.replan_at:
            return False
        looks = len(self._audience.listeners) * len(self._sent)
        self.replan_at = now + max(
            REPLAN_INTERVAL_S, REPLAN_INTERVAL_S_PER_SLOT * len(self._rest.slots), REPLAN_INTERVAL_S_PER_FATE * looks
        )
        goal = replace(self._goal, budget_bytes=self._bytes_left(now), model=self._losses_ahead(now))
        fates = {**known.fates, **dict.fromkeys(self._repairs)}
        progress = Progress(tuple(fates), tuple(fates.values()), known.whole, self.plan.sources)
        self._follow(replan(self._settings.protection, self._shapes, goal, progress))
        return True

    def _losses_ahead(self, now: float) -> LossModel:
        """The losses that parity is sent for in advance."""
        losses = self._audience.losses()
        if not (self._settings.answers and self._audience.heard):
            return losses
        lag_s = max(now - self._sent.sent_s(listener.report.latest) for listener in self._audience.listeners)
        return unanswered(losses, left_s=self._deadline - now, lag_s=lag_s)

    def _bytes_left(self, now: float) -> int:
        """Bytes that the bandwidth still pays for until the deadline, the repairs to come taken off."""
        repairs = sum(map(self._size_of, self._repairs))
        by_time = self._pace.bytes_until(self._deadline, now)
        if self._settings.follow:
            # However low the rate is just now, there is a packet to find a higher one with.
            return max(by_time - repairs, self._settings.wire_size(self._settings.packet_size))
        return max(0, min(self._budget - self._sent.bytes, by_time) - repairs)

    def _size_of(self, slot: Slot) -> int:
        return self._shapes[slot.block].sizes[slot.index]

    def _segments_of(self, listener: Listener) -> frozenset[int]:
        known = self._sent.known_of(listener, self.plan.sources)
        return frozenset(
            segment
            for number, block in enumerate(self._blocks)
            for index, packet in enumerate(block.packets)
            if number in known.whole or (not self.plan.striped and known.fates.get(Slot(number, index)))
            for segment in packet.segments
        )

    def _packet_of_stripes(self, index: int) -> Packet:
        stripes = [
            Stripe(block, encoder.k, encoder.payload(encoder.k + index)) for block, encoder in enumerate(self._encoders)
        ]
        payload = write_stripes(stripes)
        return Packet(Kind.STRIPES, self._stream_id, len(self._sent), payload, index=index, n=self._most[0])
