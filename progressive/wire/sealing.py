"""Packets sealed with a key that both ends share: what they hold is secret, and nobody else can make or repeat one.

ChaCha20-Poly1305 (RFC 8439) with the packet header as associated data; keys for each stream and end by HKDF (RFC 5869);
repetitions are told by a sliding window, as in RFC 6479. `FORMAT.md` beside this file specifies it byte by byte.
"""

from __future__ import annotations

import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from progressive.errors import WireError
from progressive.wire.envelope import KEY_SIZE, Replayed, SealMismatch
from progressive.wire.inner_parity import add_inner_parity, correct_datagram, without_inner_parity
from progressive.wire.packet import (
    FLAG_SEALED,
    HEADER_SIZE,
    SALT_SIZE,
    SEALED_OVERHEAD,
    Kind,
    Packet,
    is_packet,
    parse_header,
    parse_packet,
)

REPLAY_WINDOW = 1024
"""Sequence numbers behind the highest one that are still told apart; older ones are refused."""

MAX_SEALERS = 4096
"""Streams and ends whose keys and windows are kept: four of each of the most receivers that a sender follows."""

MISMATCH_AFTER = 3
"""So many sealed packets that do not open, and none that does, are not damage: the keys differ."""

_NONCE = struct.Struct("!B3xII")

T = TypeVar("T")
V = TypeVar("V")


class SealedEnvelope:
    """Seals and opens packets.

        packet ─> salt of this stream, drawn anew ─> key ─┬─> header, salt, payload encrypted, tag
                                                 nonce ───┘   (kind, stream, sequence)

    No key and nonce are ever used twice: a stream gets a salt when its first packet is sealed, and another one should a
    sequence number not be higher than the one before.
    """

    overhead = SEALED_OVERHEAD

    def __init__(
        self,
        key: bytes,
        inner_parity: int = 0,
        *,
        draw_salt: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """
        Args:
            key: KEY_SIZE bytes, the same on both ends.
            inner_parity: bytes of parity inside each datagram, the same number on both ends.
            draw_salt: that many bytes, new each time; random ones unless a test wants to know them.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"key of {len(key)} bytes, expected {KEY_SIZE}")
        self._key = key
        self._inner_parity = inner_parity
        self._draw_salt = draw_salt
        self._sealers: OrderedDict[tuple[bool, int], _Sealer] = OrderedDict()
        self._openers: OrderedDict[tuple[bytes, bool, int], _Opener] = OrderedDict()
        self._unopened = 0

    def wrap(self, packet: Packet) -> bytes:
        sealer = self._sealer_for(packet)
        header = packet.header_bytes(FLAG_SEALED) + sealer.salt
        sealed = sealer.cipher.encrypt(_nonce(packet.kind, packet.stream, packet.sequence), packet.payload, header)
        return add_inner_parity(header + sealed, self._inner_parity)

    def unwrap(self, datagram: bytes) -> Packet:
        self._refuse_unsealed(without_inner_parity(datagram, self._inner_parity))
        try:
            packet, opener = self._open(correct_datagram(datagram, self._inner_parity, self._opens))
        except InvalidTag:
            self._unopened += 1
            if not self._openers and self._unopened >= MISMATCH_AFTER:
                advice = "the packets that come are sealed with another key: both ends need the same --key-file"
                raise SealMismatch(
                    advice, parse_header(without_inner_parity(datagram, self._inner_parity)).stream
                ) from None
            raise WireError("packet does not open: damaged, forged, or sealed with another key") from None
        opener.window.take(packet.sequence)
        return packet

    def _sealer_for(self, packet: Packet) -> _Sealer:
        place = (packet.kind is Kind.FEEDBACK, packet.stream)
        sealer = self._sealers.get(place)
        if sealer is None or packet.sequence <= sealer.latest:
            salt = self._draw_salt(SALT_SIZE)
            sealer = _Sealer(salt, self._cipher(salt, packet.kind))
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
        opener = self._openers.get(place) or _Opener(self._cipher(salt, header.kind), ReplayWindow())
        nonce = _nonce(header.kind, header.stream, header.sequence)
        payload = opener.cipher.decrypt(nonce, data[start:], data[:start])
        _remember(self._openers, place, opener)  # only what opened: a stranger fills no memory
        return header.packet(payload), opener

    def _cipher(self, salt: bytes, kind: Kind) -> ChaCha20Poly1305:
        end = b"receiver" if kind is Kind.FEEDBACK else b"sender"
        derivation = HKDF(SHA256(), KEY_SIZE, salt, b"progressive sealing 1 " + end)
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
    latest: int = -1


@dataclass(frozen=True, slots=True)
class _Opener:
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
