"""Packets sealed with a key that both ends share: what they hold is secret, and nobody else can make or repeat one.

ChaCha20-Poly1305 (RFC 8439) with the packet header as associated data; keys for each stream and end by HKDF (RFC 5869);
repetitions are told by a sliding window, as in RFC 6479, what was recorded earlier by the time in its salt. `FORMAT.md`
beside this file specifies it byte by byte.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from progressive.errors import WireError
from progressive.units import format_time
from progressive.wire.envelope import KEY_SIZE, Replayed, SealMismatch
from progressive.wire.inner_parity import add_inner_parity, correct_datagram, without_inner_parity
from progressive.wire.packet import (
    FLAG_SEALED,
    HEADER_SIZE,
    SALT_SIZE,
    SEALED_OVERHEAD,
    TIME_SIZE,
    Kind,
    Packet,
    is_packet,
    parse_header,
    parse_packet,
    sealed_at,
)

REPLAY_WINDOW = 1024
"""Sequence numbers behind the highest one that are still told apart; older ones are refused."""

MAX_SEALERS = 4096
"""Streams and ends whose keys and windows are kept: four of each of the most receivers that a sender follows."""

RESEAL_S = 5
"""A salt is drawn anew after so many seconds, so that packets tell when they were sealed."""

MAX_AGE_S = 300.0
"""How far the clocks of both ends may be apart, and how long a packet may be on its way: as in Kerberos (RFC 4120)."""

CLOCK_STEP_S = 2
"""How far a sender's clock may be set back without its next stream being taken for an older one."""

MISMATCH_AFTER = 3
"""So many sealed packets that do not open, and none that does, are not damage: the keys differ."""

_NONCE = struct.Struct("!B3xII")

T = TypeVar("T")
V = TypeVar("V")


class SealedEnvelope:
    """Seals and opens packets.

        packet ─> salt of this stream, drawn anew ─> key ─┬─> header, salt, payload encrypted, tag
                  (time, random)                 nonce ───┘   (kind, stream, sequence)

    No key and nonce are ever used twice: a stream gets a salt when its first packet is sealed, another one every few
    seconds, and one more should a sequence number not be higher than the one before.

    What a sender sealed too long ago is not taken, nor a stream that is older than one that came.
    """

    overhead = SEALED_OVERHEAD

    def __init__(
        self,
        key: bytes,
        inner_parity: int = 0,
        *,
        draw_salt: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], float] = time.time,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        """
        Args:
            key: KEY_SIZE bytes, the same on both ends.
            inner_parity: bytes of parity inside each datagram, the same number on both ends.
            draw_salt: that many bytes, new each time; random ones unless a test wants to know them.
            clock: seconds since 1970, as the other end has them within `max_age_s`.
            max_age_s: how long ago, by our clock, a sender may have sealed what is taken, or how far ahead.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"key of {len(key)} bytes, expected {KEY_SIZE}")
        self._key = key
        self._inner_parity = inner_parity
        self._draw_salt = draw_salt
        self._clock, self._max_age_s = clock, max_age_s
        self._newest_s = 0
        self._sealers: OrderedDict[tuple[bool, int], _Sealer] = OrderedDict()
        self._openers: OrderedDict[tuple[bytes, bool, int], _Opener] = OrderedDict()
        self._newest_stream: int | None = None
        self._unopened = self._stale = 0

    def wrap(self, packet: Packet) -> bytes:
        sealer = self._sealer_for(packet)
        header = packet.header_bytes(FLAG_SEALED) + sealer.salt
        sealed = sealer.cipher.encrypt(_nonce(packet.kind, packet.stream, packet.sequence), packet.payload, header)
        return add_inner_parity(header + sealed, self._inner_parity)

    def unwrap(self, datagram: bytes) -> Packet:
        self._refuse_unsealed(without_inner_parity(datagram, self._inner_parity))
        try:
            corrected = correct_datagram(datagram, self._inner_parity, self._opens)
            packet, opener = self._open(corrected)
        except InvalidTag:
            self._unopened += 1
            if not self._openers and self._unopened >= MISMATCH_AFTER:
                advice = "the packets that come are sealed with another key: both ends need the same --key-file"
                raise SealMismatch(
                    advice, parse_header(without_inner_parity(datagram, self._inner_parity)).stream
                ) from None
            raise WireError("packet does not open: damaged, forged, or sealed with another key") from None
        self._check_time(packet, sealed_at(corrected) or 0)
        _remember(self._openers, opener.place, opener)  # only what opened in time: a stranger fills no memory
        opener.window.take(packet.sequence)
        return packet

    def _check_time(self, packet: Packet, sealed_s: int) -> None:
        """Raises WireError unless a packet is fresh.

        Answers are checked by their stream alone, whose identifier is as new as the stream.
        """
        if packet.kind is Kind.FEEDBACK:
            return
        age_s = self._clock() - sealed_s
        if abs(age_s) > self._max_age_s and packet.stream != self._newest_stream:
            raise self._refuse_age(age_s, packet.stream)
        if packet.stream != self._newest_stream and sealed_s < self._newest_s - CLOCK_STEP_S:
            raise WireError("packet of a stream that is older than one that came: recorded and sent again")
        if sealed_s > self._newest_s:
            self._newest_s, self._newest_stream = sealed_s, packet.stream

    def _refuse_age(self, age_s: float, stream: int) -> WireError:
        self._stale += 1
        if self._openers or self._stale < MISMATCH_AFTER:
            return WireError(f"packet sealed {age_s:.0f} s ago by our clock: recorded and sent again, or clocks differ")
        when = f"{format_time(abs(round(age_s)))} {'before' if age_s > 0 else 'after'} now"
        return SealMismatch(
            f"the packets that come were sealed {when} by the clock of this machine: they are recorded ones, or the "
            f"clocks differ, then set both or give --max-age",
            stream,
        )

    def _sealer_for(self, packet: Packet) -> _Sealer:
        place = (packet.kind is Kind.FEEDBACK, packet.stream)
        sealer = self._sealers.get(place)
        now = int(self._clock()) & 0xFFFFFFFF
        aged = sealer is not None and packet.kind is not Kind.FEEDBACK and not 0 <= now - sealer.drawn_s < RESEAL_S
        if sealer is None or packet.sequence <= sealer.latest or aged:
            salt = now.to_bytes(TIME_SIZE, "big") + self._draw_salt(SALT_SIZE - TIME_SIZE)
            sealer = _Sealer(salt, self._cipher(salt, packet.kind), now)
        sealer.latest = packet.sequence
        _remember(self._sealers, place, sealer)
        return sealer

    def _opens(self, packet: bytes) -> bool:
        try:
            self._open(packet)
        except (WireError, InvalidTag):
            return False
        return True

    def _open(self, data: bytes) -> tuple[Packet, _Opener]:
        """The packet in these bytes, with what tells its repetitions.

        Raises WireError if this is no sealed packet, InvalidTag if it does not open.
        """
        header = parse_header(data)
        if not header.sealed:
            raise WireError("packet is not sealed")
        start = HEADER_SIZE + SALT_SIZE
        salt = data[HEADER_SIZE:start]
        place = (salt, header.kind is Kind.FEEDBACK, header.stream)
        opener = self._openers.get(place) or _Opener(place, self._cipher(salt, header.kind), ReplayWindow())
        nonce = _nonce(header.kind, header.stream, header.sequence)
        payload = opener.cipher.decrypt(nonce, data[start:], data[:start])
        return header.packet(payload), opener

    def _cipher(self, salt: bytes, kind: Kind) -> ChaCha20Poly1305:
        end = b"receiver" if kind is Kind.FEEDBACK else b"sender"
        derivation = HKDF(SHA256(), KEY_SIZE, salt, b"progressive sealing 2 " + end)
        return ChaCha20Poly1305(derivation.derive(self._key))

    @staticmethod
    def _refuse_unsealed(packet: bytes) -> None:
        if is_packet(packet):
            advice = (
                "the packets that come are not sealed, and this end has a key: start the other with the same --key-file"
            )
            raise SealMismatch(advice, parse_packet(packet).stream)


class ReplayWindow:
    """Which of the latest sequence numbers have come."""

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0  # bit i: sequence number _highest - i has come

    def take(self, sequence: int) -> None:
        """Raises Replayed if the number came before or is too old to tell."""
        ahead = sequence - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, REPLAY_WINDOW) | 1) & ((1 << REPLAY_WINDOW) - 1)
            self._highest = sequence
            return
        if -ahead >= REPLAY_WINDOW or self._seen >> -ahead & 1:
            raise Replayed(f"sealed packet {sequence} came before")
        self._seen |= 1 << -ahead


@dataclass(slots=True)
class _Sealer:
    salt: bytes
    cipher: ChaCha20Poly1305
    drawn_s: int
    latest: int = -1


@dataclass(frozen=True, slots=True)
class _Opener:
    place: tuple[bytes, bool, int]
    cipher: ChaCha20Poly1305
    window: ReplayWindow


def _nonce(kind: Kind, stream: int, sequence: int) -> bytes:
    return _NONCE.pack(kind, stream, sequence)


def _remember(memory: OrderedDict[T, V], place: T, value: V) -> None:
    """Keeps the latest MAX_SEALERS."""
    memory[place] = value
    memory.move_to_end(place)
    if len(memory) > MAX_SEALERS:
        memory.popitem(last=False)
