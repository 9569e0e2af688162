"""What a receiver can be told."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from progressive.errors import UsageError
from progressive.wire.inner_parity import MAX_INNER_PARITY


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Settings of a receiving session; UsageError for values that make no sense.

    Fields:
        silence_s: seconds without a packet after which a stream is over, unless its packets are far apart.
        inner_parity: bytes of parity inside each datagram, the same number as the sender's.
        max_blocks: most blocks of a stream. A block holds 8 to 64 packets, so these are over 30 MB of photo at least.
        max_held_bytes: most bytes kept of a stream for erasure recovery, and before its header is known. A block holds
            some 35 kB until it is complete: hundreds of incomplete ones fit.
        receiver_id: 0..2^32-1, tells the receivers of a broadcast apart.
        stays: goes on when nothing more was announced, and takes a stream that fell silent for a new one if it goes on.
    """

    silence_s: float = 3.0
    inner_parity: int = 0
    max_blocks: int = 4096
    max_held_bytes: int = 16 << 20
    receiver_id: int = 0
    stays: bool = False

    def __post_init__(self) -> None:
        if not (isfinite(self.silence_s) and self.silence_s > 0):
            raise UsageError(f"a silence of {self.silence_s:g} s ends every stream at once: use more than 0")
        if not 0 <= self.inner_parity <= MAX_INNER_PARITY:
            raise UsageError(f"inner parity of {self.inner_parity} bytes: use 0 to {MAX_INNER_PARITY}")
        if not 0 <= self.receiver_id <= 0xFFFFFFFF:
            raise UsageError(f"receiver id {self.receiver_id} is out of range: use 0 to 2^32-1")
