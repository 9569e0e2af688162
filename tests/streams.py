"""Streams without a codec: random payloads, made from a seed."""

from __future__ import annotations

import random

from progressive.stream import LayeredStream, Segment, StreamHeader


def make_stream(
    *, base: int = 4, enhance: int = 20, payload: tuple[int, int] = (400, 1000), seed: int = 0
) -> LayeredStream:
    """`base` segments in a chain, then `enhance` that depend on the last of them; payload sizes from this range."""
    rng = random.Random(seed)
    segments = []
    for i in range(1, base + enhance + 1):
        if i <= base:
            layer, depends_on = 0, (i - 1,) if i > 1 else ()
        else:
            layer, depends_on = 1 + i % 2, (base,) if base else ()
        segments.append(Segment(i, layer, depends_on, rng.randbytes(rng.randint(*payload)), utility=1e6 / i))
    header = StreamHeader(1, rng.randbytes(8), 640, 480, len(segments), rng.randbytes(6))
    return LayeredStream(header, tuple(segments))
