"""The word that nothing more follows, for a sequence of which no one knew which frame would be the last."""

from __future__ import annotations

from progressive.wire.control import End
from progressive.wire.envelope import Envelope
from progressive.wire.packet import Kind, Packet

COPIES = 6
"""As often as the end of a stream is said."""


def farewell(stream_id: int, envelope: Envelope) -> list[bytes]:
    """Datagrams to send a little apart: a stream of nothing but its end.

    Args:
        stream_id: 0..2^32-1, new to the receivers.
        envelope: makes datagrams of packets.
    """
    end = End(stream=stream_id, more=False).to_bytes()
    packets = (Packet(Kind.CONTROL, stream_id, sequence, end) for sequence in range(COPIES))
    return [envelope.wrap(packet) for packet in packets]


def reminder(stream_id: int, sequence: int, envelope: Envelope) -> bytes:
    """A datagram that says once more that a stream is over and others come; `sequence` is new to the stream."""
    end = End(stream=stream_id, more=True).to_bytes()
    return envelope.wrap(Packet(Kind.CONTROL, stream_id, sequence, end))
