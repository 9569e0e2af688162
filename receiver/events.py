"""What a receiver tells of: streams that begin and end, segments, and the fate of every datagram."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from progressive.stream import StreamHeader
from progressive.wire.about import About
from progressive.wire.expected_quality import Expectation
from progressive.wire.packet import Kind, Packet
from progressive.wire.placement import Placement
from progressive.wire.stripes import parse_stripes
from receiver.loss_statistics import SequenceTracker

EndReason = Literal["complete", "ended", "silence"]


@dataclass(frozen=True, slots=True)
class PacketStatistics:
    """Counts over all streams of the session.

    Fields:
        received: distinct datagrams taken.
        lost: datagrams that never came, by the gaps in the sequence numbers.
        recovered: source packets restored from parity.
        duplicates: datagrams that came again.
        damaged: datagrams dropped as damaged or nonsense, and those that no manifest has explained yet.
        bytes: of all datagrams of the streams, duplicates included; nonsense is not counted.
    """

    received: int = 0
    lost: int = 0
    recovered: int = 0
    duplicates: int = 0
    damaged: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The header of a stream, whose first datagram came at `first_s`, is known: a decoder can be made.

    `placement` tells where its picture belongs if it is a part of a frame.
    """

    stream_id: int
    header: StreamHeader
    first_s: float
    placement: Placement | None = None


@dataclass(frozen=True, slots=True)
class SegmentReceived:
    """A segment of a started stream, once each; `recovered` if it was restored from parity."""

    stream_id: int
    segment_id: int
    payload: bytes
    recovered: bool


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """No more of this stream will come.

    `reason`: "complete", every segment is there; "ended", the sender said so or began another stream; "silence",
    nothing came for `silence_s` and for as long as fifteen packets take. `more`: the sender announced another stream,
    or has begun it. `until_then`: what had come when it ended, without the datagram that began the next one.
    """

    stream_id: int
    reason: EndReason
    more: bool
    until_then: PacketStatistics = field(default=PacketStatistics(), compare=False)


@dataclass(frozen=True, slots=True)
class QualityTold:
    """The sender of a started stream said how good pictures of its segments are, once a stream."""

    stream_id: int
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class AboutTold:
    """The sender of a started stream said what its photo is called, when and where it was taken, once a stream."""

    stream_id: int
    about: About


PacketKind = Literal["source", "parity", "stripes", "control"]


@dataclass(frozen=True, slots=True)
class PacketReceived:
    """A datagram of a stream came for the first time.

    Fields:
        stream_id: of the stream, whose header may not be known yet.
        time_s: when, on the session's clock.
        sequence: its number among the sender's datagrams of this stream.
        kind: what it holds; a manifest counts as control.
        blocks: the Reed-Solomon blocks that it is of, each with its number of source packets; none for control.
        index: its place in them.
        size: in bytes.
        late: a datagram sent after it had come before.
        received, expected: datagrams of the stream that came, and that must have been sent, this one included.
    """

    stream_id: int
    time_s: float
    sequence: int
    kind: PacketKind
    blocks: tuple[tuple[int, int], ...]
    index: int
    size: int
    late: bool
    received: int
    expected: int

    @classmethod
    def of(cls, packet: Packet, size: int, now: float, tracker: SequenceTracker, *, late: bool) -> PacketReceived:
        """Of a packet that came in a datagram of `size` bytes; `tracker` counts those of its stream, this one too."""
        kind: PacketKind = "source" if packet.index < packet.k else "parity"
        blocks: tuple[tuple[int, int], ...] = ((packet.block, packet.k),)
        if packet.kind is Kind.STRIPES:
            kind, blocks = "stripes", tuple((stripe.block, stripe.k) for stripe in parse_stripes(packet.payload))
        elif packet.kind in {Kind.CONTROL, Kind.MANIFEST}:
            kind, blocks = "control", ()
        return cls(
            packet.stream,
            now,
            packet.sequence,
            kind,
            blocks,
            packet.index,
            size,
            late,
            tracker.received,
            tracker.expected,
        )


@dataclass(frozen=True, slots=True)
class PacketRecovered:
    """A source packet that did not come was restored from parity."""

    stream_id: int
    block: int
    index: int


@dataclass(frozen=True, slots=True)
class DatagramDropped:
    """A datagram was of no use: it came before, is damaged or nonsense, came after its stream had ended, or is of
    another stream and was left behind at a broker."""

    reason: Literal["duplicate", "damaged", "after the end", "left behind"]


@dataclass(frozen=True, slots=True)
class CannotOpen:
    """What comes is not sealed as this end seals, and nothing that is has come yet; `advice` is for a person."""

    advice: str


ReceiverEvent = (
    StreamStarted
    | QualityTold
    | AboutTold
    | SegmentReceived
    | StreamEnded
    | PacketReceived
    | PacketRecovered
    | DatagramDropped
    | CannotOpen
)
