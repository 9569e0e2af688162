"""The receiver as a state machine: bytes and `now` in, bytes and events out; no sockets, clocks or randomness."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf

from progressive.errors import WireError
from progressive.wire.control import Ask, End, Report, parse_message
from progressive.wire.envelope import Envelope, PlainEnvelope, Replayed, SealMismatch
from progressive.wire.expected_quality import Expectation
from progressive.wire.manifest import Manifest, parse_manifest
from progressive.wire.packet import Kept, Kind, Packet
from progressive.wire.short import UnknownStream
from receiver.events import (
    AboutTold,
    CannotOpen,
    DatagramDropped,
    EndReason,
    PacketReceived,
    PacketRecovered,
    PacketStatistics,
    QualityTold,
    ReceiverEvent,
    SegmentReceived,
    StreamEnded,
    StreamStarted,
)
from receiver.kept import KeptPackets
from receiver.loss_statistics import LAST_SEQUENCE
from receiver.reassembly import Arrival, Reassembler
from receiver.settings import ReceiverSettings
from receiver.stream_state import REPORT_INTERVAL_S, Reporter, StreamState, empty_report

END_GRACE_S = 0.25
"""How long packets may still come once the end was heard: jitter lets it overtake them."""

FAREWELL_PACKETS = 5
"""The end of another stream is believed once nothing more of this one has come for as long as so many packets take."""

SILENT_PACKETS = 15
"""A stream is not over before so many packets could have come: on slow links they are far apart."""

UNKNOWN_PACE = 10
"""How many times longer than usual the second packet is waited for: only then the pace is known."""

STALL_S = 0.02
"""A timer that rings this late rings after a stall, of the machine or of this process."""

AFTER_STALL_S = 0.25
"""What came during a stall still waits in the socket: so long it is looked at before silence is judged."""

MAX_EARLY = 256
"""Short packets that are kept until their stream's manifest comes: as many as come between two on the slowest links."""

MAX_ENDED_STREAMS = 64
"""Ended streams whose late packets are recognised; only the last one or two can have packets on the way."""


class ReceiverSession:
    """Receives streams from one peer, one after the other.

    Give it what arrives (`receive_datagram`), send what it returns (`datagrams_to_send`), wake it (`handle_timer`) at
    `next_timer()`, read events until there are none. All times are seconds on one clock of the caller's. Whatever the
    peer sends, nothing is raised: nonsense is counted in `statistics` and dropped.
    """

    def __init__(self, settings: ReceiverSettings, *, now: float, envelope: Envelope | None = None) -> None:
        """`envelope` makes packets of datagrams and back; None for a plain one."""
        self._settings = settings
        self._envelope = envelope or PlainEnvelope(settings.inner_parity)
        self._refusal: Reporter | None = None
        self._advice_given: set[str] = set()
        self._events: deque[ReceiverEvent] = deque()
        self._current: StreamState | None = None
        self._ended: dict[int, Reporter] = {}
        self._kept = KeptPackets(settings)
        self._early: deque[bytes] = deque()
        self._more_expected = True
        self._duplicates = self._damaged = self._bytes = 0
        self._past = PacketStatistics()

    @property
    def done(self) -> bool:
        """The last stream has ended and no other was announced; never where the settings say that it stays."""
        return self._current is None and not self._more_expected and not self._settings.stays

    @property
    def statistics(self) -> PacketStatistics:
        return self._count(self._current)

    @property
    def held_bytes(self) -> int:
        """Payload bytes kept in memory, at most `max_held_bytes` of the settings."""
        return self._current.reassembler.held_bytes if self._current is not None else 0

    def receive_datagram(self, data: bytes, now: float) -> None:
        try:
            packet = self._envelope.unwrap(data)
            self._receive(packet, len(data), now, kept=isinstance(data, Kept))
        except UnknownStream:
            self._early.append(data)
            if len(self._early) > MAX_EARLY:
                self._early.popleft()
                self._drop_damaged()
        except Replayed:
            self._duplicates += 1
            self._events.append(DatagramDropped("duplicate"))
        except WireError as error:
            self._drop_damaged()
            if isinstance(error, SealMismatch):
                self._refuse(error, now)

    def _drop_damaged(self) -> None:
        self._damaged += 1
        self._events.append(DatagramDropped("damaged"))

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """The reports that are due."""
        packets = [
            reporter.packet(reporter.last, now)
            for reporter in self._ended.values()
            if reporter.last is not None and reporter.due <= now
        ]
        stream = self._current
        if stream is not None and stream.reporter.due <= now:
            packets.append(stream.reporter.packet(self._report(stream, now, ended=stream.closes_at < inf), now))
        if self._refusal is not None and self._refusal.due <= now:
            stream_id = self._refusal.stream_id
            packets.append(self._refusal.packet(empty_report(stream_id, self._settings.receiver_id), now))
        return [self._envelope.wrap(packet) for packet in packets]

    def next_timer(self) -> float | None:
        """When to call `handle_timer` at the latest; None if there is nothing to wait for."""
        timers = [reporter.due for reporter in self._ended.values()]
        if self._refusal is not None:
            timers.append(self._refusal.due)
        stream = self._current
        if stream is not None:
            timers += [stream.reporter.due, stream.closes_at, stream.leaves_at, self._silent_at(stream)]
        elif not self._ended:
            timers.append(self._kept.latest_at + self._settings.silence_s)
        timer = min(timers, default=inf)
        return None if timer == inf else timer

    def handle_timer(self, now: float) -> None:
        stream = self._current
        if stream is None:
            if not self._ended and now >= self._kept.latest_at + self._settings.silence_s:
                self._end(self._begin(self._kept.largest(), now), "silence")
            return
        if now >= stream.closes_at:
            self._end(stream, "ended")
        elif now >= stream.leaves_at:
            stream.more = False
            self._end(stream, "ended")
        elif now >= self._silent_at(stream):
            if now - self._silent_at(stream) > STALL_S:
                stream.judged_at = now + AFTER_STALL_S
            else:
                self._end(stream, "silence")

    def next_event(self) -> ReceiverEvent | None:
        return self._events.popleft() if self._events else None

    def _refuse(self, mismatch: SealMismatch, now: float) -> None:
        """Says why nothing can be taken, and lets the sender see that what answers seals in another way."""
        if self._current is not None or self._ended:
            return  # whoever is heard is not stopped by others
        if str(mismatch) not in self._advice_given:
            self._advice_given.add(str(mismatch))
            self._events.append(CannotOpen(str(mismatch)))
        if self._refusal is None or self._refusal.stream_id != mismatch.stream:
            reported_at = -inf if self._refusal is None else self._refusal.reported_at
            self._refusal = Reporter(mismatch.stream, reported_at=reported_at)
        self._refusal.ask(max(now, self._refusal.reported_at + REPORT_INTERVAL_S))

    def _receive(self, packet: Packet, size: int, now: float, *, kept: bool) -> None:
        if packet.kind is Kind.FEEDBACK:
            raise WireError("feedback, but this is the receiver")
        message = _parse_control(packet) if packet.kind is Kind.CONTROL else None
        end = message if isinstance(message, End) else None
        manifest = parse_manifest(packet.payload) if packet.kind is Kind.MANIFEST else None
        late = self._ended.get(packet.stream)
        if late is not None:
            if end is not None:
                late.ask_again(now)
            else:
                self._events.append(DatagramDropped("after the end"))
            return
        if kept and manifest is None:
            self._receive_kept(packet, size, now, is_end=message is not None)
            return
        if isinstance(message, Ask) and (self._current is None or self._current.id != packet.stream):
            raise WireError("asked about a stream of which nothing came")
        if end is not None and self._current is not None and self._current.id != packet.stream:
            self._take_farewell(self._current, end, now)
            return
        stream = self._stream_of(packet, now, end=end is not None)
        self._bytes += size
        if stream.joined_late and not stream.tracker.expected:
            stream.tracker.begin_at(packet.sequence)
        latest = stream.tracker.latest
        if not stream.tracker.add(packet.sequence, now):
            self._duplicates += 1
            self._events.append(DatagramDropped("duplicate"))
            return
        stream.last_packet_at, stream.leaves_at = now, inf
        stream.reporter.short = packet.short
        self._events.append(PacketReceived.of(packet, size, now, stream.tracker, late=packet.sequence < latest))
        if isinstance(message, Ask):
            stream.asked = True
            stream.reporter.ask_again(now)
        else:
            self._take(stream, packet, end or manifest, size, now)

    def _take(self, stream: StreamState, packet: Packet, told: End | Manifest | None, size: int, now: float) -> None:
        match told:
            case End():
                self._take_end(stream, told, now)
            case Manifest():
                self._take_manifest(stream, told, now)
            case None:
                self._take_data(stream, packet, size, now)

    def _stream_of(self, packet: Packet, now: float, *, end: bool) -> StreamState:
        """The stream of a packet, which is current from now on; raises WireError if the packet is no reason to begin
        another, and nothing changes then."""
        if self._current is not None and self._current.id == packet.stream:
            return self._current
        if packet.sequence > LAST_SEQUENCE:
            raise WireError(f"stream that begins with packet {packet.sequence}")
        if packet.kind is Kind.MANIFEST:
            if not packet.short:
                raise WireError("what is told of a stream of which nothing came")
        elif not end:
            Reassembler(self._settings).add(packet)  # what is nonsense ends no photo
        elif self._current is None and not self._ended:
            raise WireError("the end of a stream of which nothing came")
        if self._current is not None:
            self._current.more = True
            self._end(self._current, "ended")
        return self._begin(packet.stream, now)

    def _begin(self, stream_id: int, now: float) -> StreamState:
        """A stream, with what was kept of it on the way."""
        stream = self._current = StreamState(stream_id, Reassembler(self._settings), Reporter(stream_id), now, now)
        for packet, size in self._kept.take(stream_id):
            self._take_kept(stream, packet, size, now)
        return stream

    def _receive_kept(self, packet: Packet, size: int, now: float, *, is_end: bool) -> None:
        """Takes a packet that was kept on the way: it ends nothing, and begins a stream only where no other goes on."""
        stream = self._current
        if stream is not None and stream.id == packet.stream and not is_end:
            self._take_kept(stream, packet, size, now)
        elif is_end or (stream is not None and stream.live):
            self._events.append(DatagramDropped("left behind"))
        elif self._kept.add(packet, size, now) and stream is None:
            self._begin(packet.stream, now)

    def _take_kept(self, stream: StreamState, packet: Packet, size: int, now: float) -> None:
        self._bytes += size
        stream.joined_late = True
        stream.last_packet_at = now
        self._events.append(PacketReceived.of(packet, size, now, stream.tracker, late=False))
        self._take_data(stream, packet, size, now)

    def _take_farewell(self, stream: StreamState, end: End, now: float) -> None:
        """Nothing more follows, says the end of another stream: so be it, if nothing more of this one comes."""
        if end.more:
            raise WireError("the end of a stream of which nothing came")
        gone_s = FAREWELL_PACKETS * (self._usual_silence_s(stream) / SILENT_PACKETS)
        stream.leaves_at = min(stream.leaves_at, now + max(END_GRACE_S, gone_s))

    def _take_data(self, stream: StreamState, packet: Packet, size: int, now: float) -> None:
        was_complete = stream.reassembler.complete
        arrivals = stream.reassembler.add(packet)
        self._start(stream)
        self._events.extend(PacketRecovered(stream.id, *place) for place in stream.reassembler.restored)
        self._hand_out(stream, arrivals)
        lacks_base = stream.tracker.lost and not stream.reassembler.base_complete
        if was_complete or lacks_base:
            stream.reporter.ask_again(now)
        elif stream.reassembler.complete:
            stream.reporter.ask(now)
        else:
            stream.ask_for_report(size, now)
        if stream.reassembler.complete and stream.closes_at < inf:
            self._end(stream, "ended")

    def _start(self, stream: StreamState) -> None:
        """Once the header is known, a decoder can be made."""
        header = stream.reassembler.header
        if header is not None and not stream.started:
            stream.started = True
            placement = stream.reassembler.placement
            self._events.append(StreamStarted(stream.id, header, stream.first_packet_at, placement))
            self._tell(stream)

    def _hand_out(self, stream: StreamState, arrivals: Sequence[Arrival]) -> None:
        self._events.extend(SegmentReceived(stream.id, a.segment_id, a.payload, a.recovered) for a in arrivals)

    def _take_manifest(self, stream: StreamState, manifest: Manifest, now: float) -> None:
        tells_blocks = stream.told.take(manifest)
        if stream.told.header is not None:
            arrivals = stream.reassembler.tell(*stream.told.header, stream.told.base_blocks)
            self._start(stream)
            self._hand_out(stream, arrivals)
        self._tell(stream)
        if tells_blocks:
            self._look_again(now)

    def _look_again(self, now: float) -> None:
        """At what came before its manifest: once, so that no flood of manifests makes it much work."""
        early, self._early = self._early, deque()
        for data in early:
            self.receive_datagram(data, now)
        while self._early:
            self._early.popleft()
            self._drop_damaged()

    def _tell(self, stream: StreamState) -> None:
        """Once, as soon as there is a photo to tell it of."""
        if stream.started and not stream.about_told and stream.told.about is not None:
            stream.about_told = True
            self._events.append(AboutTold(stream.id, stream.told.about))
        if stream.started and not stream.quality_told and stream.told.quality is not None:
            stream.quality_told = True
            self._events.append(QualityTold(stream.id, Expectation(stream.told.quality)))

    def _take_end(self, stream: StreamState, end: End, now: float) -> None:
        stream.more = end.more
        stream.reporter.ask(now)
        if stream.reassembler.complete:
            self._end(stream, "ended")
        elif not end.repeats:
            stream.closes_at = min(stream.closes_at, now + END_GRACE_S)

    def _end(self, stream: StreamState, reason: EndReason) -> None:
        self._past = self._count(stream)
        self._current = None
        self._more_expected = stream.more
        reporter = stream.reporter
        reporter.last = self._report(stream, None, ended=True)
        if reason == "silence":
            reporter.due = inf
        if reason != "silence" or not self._settings.stays:
            self._ended[stream.id] = reporter
        if len(self._ended) > MAX_ENDED_STREAMS:
            del self._ended[next(iter(self._ended))]
        reason = "complete" if stream.reassembler.complete else reason
        self._events.append(StreamEnded(stream.id, reason, stream.more, self.statistics))

    def _report(self, stream: StreamState, now: float | None, *, ended: bool) -> Report:
        return stream.report(now, ended=ended, receiver_id=self._settings.receiver_id)

    def _silent_at(self, stream: StreamState) -> float:
        """When a stream is given up."""
        usual_s = self._usual_silence_s(stream) if stream.live else 0.0
        silent_at = stream.last_packet_at + max(self._settings.silence_s, usual_s)
        return max(silent_at, stream.judged_at)

    def _usual_silence_s(self, stream: StreamState) -> float:
        sent = stream.tracker.expected
        if sent < 2:
            return UNKNOWN_PACE * self._settings.silence_s
        return SILENT_PACKETS * (stream.last_packet_at - stream.first_packet_at) / (sent - 1)

    def _count(self, stream: StreamState | None) -> PacketStatistics:
        """The counts of the streams before and this one."""
        past = self._past
        return PacketStatistics(
            past.received + (stream.tracker.received if stream else 0),
            past.lost + (stream.tracker.lost if stream else 0),
            past.recovered + (stream.reassembler.recovered if stream else 0),
            self._duplicates,
            self._damaged + len(self._early),
            self._bytes,
        )


def _parse_control(packet: Packet) -> End | Ask:
    message = parse_message(packet.payload)
    if not isinstance(message, End | Ask) or message.stream != packet.stream:
        raise WireError("not a message of the sender's about this stream")
    return message
