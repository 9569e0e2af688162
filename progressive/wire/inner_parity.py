"""Byte parity inside one datagram, by reedsolo, for links that deliver damaged frames instead of dropping them.

Both ends must be set to the same number of parity bytes. A datagram of more than 255 bytes is interleaved: byte j
belongs to codeword j mod c, c = ceil(length / 255), so that a run of damaged bytes is shared among the codewords.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import reedsolo

from progressive.errors import WireError
from progressive.wire.packet import MAX_DATAGRAM, is_packet

_CODEWORD = 255
MAX_INNER_PARITY = 512
"""Most parity bytes of a datagram: over a third of the largest one, and still far from 255 a codeword."""


def add_inner_parity(packet: bytes, parity_size: int) -> bytes:
    """The datagram for these packet bytes: itself, then `parity_size` bytes of parity."""
    if not parity_size:
        return packet
    codewords = _codeword_count(len(packet) + parity_size)
    parity = bytearray(parity_size)
    for i in range(codewords):
        places = range(_first_place(len(packet), i, codewords), parity_size, codewords)
        if places:
            encoded = _codec(len(places)).encode(packet[i::codewords])
            parity[places.start :: codewords] = encoded[-len(places) :]
    return packet + bytes(parity)


def without_inner_parity(datagram: bytes, parity_size: int) -> bytes:
    """The packet bytes inside a datagram as they came."""
    return datagram[: max(0, len(datagram) - parity_size)]


def correct_datagram(datagram: bytes, parity_size: int, is_intact: Callable[[bytes], bool] = is_packet) -> bytes:
    """The packet bytes inside a datagram, corrected unless they are intact; raises WireError if beyond repair."""
    if not parity_size:
        return datagram
    if not parity_size < len(datagram) <= MAX_DATAGRAM:
        raise WireError(f"datagram of {len(datagram)} bytes cannot hold {parity_size} bytes of inner parity")
    packet = without_inner_parity(datagram, parity_size)
    # Correction in pure Python takes milliseconds: spend them only on what the checksum or the tag refuses.
    return packet if is_intact(packet) else _correct(datagram, parity_size)


def _correct(datagram: bytes, parity_size: int) -> bytes:
    codewords = _codeword_count(len(datagram))
    size = len(datagram) - parity_size
    packet = bytearray(size)
    for i in range(codewords):
        received = datagram[i::codewords]
        parity = len(range(_first_place(size, i, codewords), parity_size, codewords))
        try:
            packet[i::codewords] = _codec(parity).decode(received)[0] if parity else received
        except reedsolo.ReedSolomonError as error:
            raise WireError("datagram is damaged beyond its inner parity") from error
    return bytes(packet)


def _codeword_count(datagram_size: int) -> int:
    return -(-datagram_size // _CODEWORD)


def _first_place(packet_size: int, codeword: int, codewords: int) -> int:
    """Where among the parity bytes the first one of this codeword lies."""
    return (codeword - packet_size) % codewords


@lru_cache(maxsize=32)
def _codec(parity: int) -> reedsolo.RSCodec:
    return reedsolo.RSCodec(parity)
