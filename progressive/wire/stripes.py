"""What the payload of a striped packet holds: a stripe of every class, so that no packet is worth more than another.

Priority encoding transmission; Albanese, Blömer, Edmonds, Luby and Sudan, IEEE Trans. Inf. Theory 42, 1996.
A class is the payloads of its source packets, one after the other. It is cut into k sources of equal length, the last
one padded with zeros; packet number i carries its parity packet k + i. Any k striped packets give the class.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from progressive.errors import WireError
from progressive.wire.fec import BlockEncoder
from progressive.wire.packet import MAX_SOURCES

_PREFIX = struct.Struct("!HBH")
STRIPE_OVERHEAD = _PREFIX.size


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stripe of one class.

    Fields:
        block: number of the class.
        k: stripes that give the class, 1..MAX_SOURCES.
        data: parity of the class's sources.
    """

    block: int
    k: int
    data: bytes


def write_stripes(stripes: Iterable[Stripe]) -> bytes:
    return b"".join(_PREFIX.pack(stripe.block, stripe.k, len(stripe.data)) + stripe.data for stripe in stripes)


def parse_stripes(payload: bytes) -> list[Stripe]:
    """Parses all stripes of a payload; raises WireError for anything else."""
    stripes = []
    position = 0
    while position < len(payload):
        if len(payload) - position < STRIPE_OVERHEAD:
            raise WireError(f"stripe of {len(payload) - position} bytes, needs at least {STRIPE_OVERHEAD}")
        block, k, length = _PREFIX.unpack_from(payload, position)
        position += STRIPE_OVERHEAD
        if not 1 <= k <= MAX_SOURCES or not 1 <= length <= len(payload) - position:
            raise WireError(f"impossible stripe: k {k}, {length} bytes of {len(payload) - position}")
        stripes.append(Stripe(block, k, payload[position : position + length]))
        position += length
    if len({stripe.block for stripe in stripes}) != len(stripes):
        raise WireError("two stripes of one packet are of the same class")
    return stripes


def stripe_size(class_size: int, k: int) -> int:
    """Bytes of a stripe of a class of so many bytes, its prefix included."""
    return STRIPE_OVERHEAD + -(-class_size // k)


def encoder_of_class(data: bytes, k: int) -> BlockEncoder:
    """Of a class, whose packets `k`, `k` + 1, .. are its stripes."""
    length = -(-len(data) // k)
    return BlockEncoder([data[i * length : (i + 1) * length].ljust(length, b"\0") for i in range(k)])
