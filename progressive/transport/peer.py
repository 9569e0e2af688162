"""Whom a receiver listens to: one sender at a time, wherever its packets come from."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from progressive.errors import WireError
from progressive.wire.control import Busy
from progressive.wire.envelope import Envelope, PlainEnvelope, SealMismatch
from progressive.wire.packet import Kind, Packet, claimed_stream, sealed_at
from progressive.wire.short import is_short

PEER_HOLD_S = 3.0
"""A sender that has been silent for this long has gone, and another may take its place."""

HOLD_PACKETS = 5
LONGEST_HOLD_S = 60.0
"""On slow links it is held to be there for so many of its packets longer, up to this."""

REBIND_S = 0.5
"""A sender that is silent for this long may have got another address, as behind a NAT; less than any usual silence
that ends a stream. Packets of its stream are taken from there then; sealed ones, which nobody else has, at once."""

OUTDATED_S = 10
"""Who sends what was sealed so much earlier than another's packets sends recorded ones, and makes room for them."""

BUSY_EVERY_S = 0.5
"""Least time between two answers to senders that are turned away."""

SocketAddress = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """What to do with a datagram.

    Fields:
        taken: the session may have it.
        answer: to send to where it came from; empty for none.
    """

    taken: bool
    answer: bytes = b""


DATA = frozenset({Kind.DATA, Kind.STRIPES, Kind.MANIFEST})

TAKEN, DROPPED = Admission(True), Admission(False)


class Peer:
    """The sender at hand, by its address and its stream.

        nobody, or silent for 3 s ──(anyone's valid packet)──> its sender is alone
        alone ──(a packet of its stream from elsewhere: sealed, or after half a second of silence)──> it has moved there
        alone ──(a packet that was sealed later than any of its own)──> it sends recorded ones, and makes room

    Fields:
        address: where to send answers to; None while nobody is there.
        strangers: datagrams dropped because they came from somebody else.
    """

    def __init__(self, envelope: Envelope) -> None:
        """`envelope`: for this alone, since a sealed one takes no datagram twice."""
        self.address: SocketAddress | None = None
        self.strangers = 0
        self._envelope = envelope
        self._sealed = not isinstance(envelope, PlainEnvelope)
        self._stream: int | None = None
        self._heard_at = self._answered_at = -inf
        self._first_at = 0.0
        self._sealed_s = 0  # when the latest of the sender's packets was sealed
        self._packets = self._answers = 0
        self._released = False

    def release(self) -> None:
        """The sender has sent its last: whoever comes next is not kept waiting; this one is answered until then."""
        self._released = True

    def admit(self, datagram: bytes, source: SocketAddress, now: float) -> Admission:
        """What becomes of a datagram that came from `source` at `now`, in seconds."""
        silent_s = now - self._heard_at
        if source == self.address or silent_s >= self._hold_s():
            return self._take(datagram, source, now)
        moved = self._claims(datagram) == self._stream and (self._sealed or silent_s >= REBIND_S)
        outdated = (sealed_at(datagram) or 0) > self._sealed_s + OUTDATED_S
        if (moved or outdated) and (packet := self._data(datagram)) is not None:
            self._follow(packet, datagram, source, now)
            return TAKEN
        self.strangers += 1
        if moved or outdated or now - self._answered_at < BUSY_EVERY_S:
            return DROPPED
        return self._turn_away(datagram, now)

    def _take(self, datagram: bytes, source: SocketAddress, now: float) -> Admission:
        origin, packet = self._origin(datagram)
        if origin == "sealed otherwise" and now - self._heard_at >= self._hold_s():
            self.address = source  # to be told so, and to hold nobody's place
        if packet is None:
            return TAKEN
        if source == self.address or self.address is None or packet.kind in DATA:
            self._follow(packet, datagram, source, now)
            return TAKEN
        self.strangers += 1  # the end of something, from somebody of whom nothing else came
        return DROPPED

    def _follow(self, packet: Packet, datagram: bytes, source: SocketAddress, now: float) -> None:
        same = source == self.address or packet.stream == self._stream
        self._sealed_s = max(self._sealed_s if same else 0, sealed_at(datagram) or 0)
        if packet.stream != self._stream:
            self._released = False
            self._stream, self._first_at, self._packets = packet.stream, now, 0
        self.address, self._heard_at = source, now
        self._packets += 1

    def _claims(self, datagram: bytes) -> int | None:
        """The stream that a datagram names; a short one proves it by its checksum."""
        if not is_short(datagram):
            return claimed_stream(datagram)
        packet = self._origin(datagram)[1]
        return None if packet is None else packet.stream

    def _hold_s(self) -> float:
        """How long the sender may be silent before it has gone."""
        if self._released:
            return 0.0
        if self._packets < 2:
            return PEER_HOLD_S
        usual_s = HOLD_PACKETS * (self._heard_at - self._first_at) / (self._packets - 1)
        return min(LONGEST_HOLD_S, max(PEER_HOLD_S, usual_s))

    def _turn_away(self, datagram: bytes, now: float) -> Admission:
        """Tells another sender that somebody is here, in no more bytes than came."""
        packet = self._data(datagram)
        if packet is None:
            return DROPPED
        self._answered_at = now
        busy = Packet(
            Kind.FEEDBACK, packet.stream, self._answers, Busy(stream=packet.stream).to_bytes(), short=packet.short
        )
        self._answers += 1
        answer = self._envelope.wrap(busy)
        return Admission(False, answer if len(answer) <= len(datagram) else b"")

    def _data(self, datagram: bytes) -> Packet | None:
        """The packet in it if that is one of ours with something of a photo."""
        packet = self._origin(datagram)[1]
        return packet if packet is not None and packet.kind in DATA else None

    def _origin(self, datagram: bytes) -> tuple[Literal["ours", "sealed otherwise", "nonsense"], Packet | None]:
        try:
            return "ours", self._envelope.unwrap(datagram)
        except SealMismatch:
            return "sealed otherwise", None
        except WireError:
            return "nonsense", None
