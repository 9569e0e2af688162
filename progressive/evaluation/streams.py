"""One stream of a progressive codec, cut wherever a rate asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from progressive.codec import ProgressiveCodec
from progressive.container import RECORD_OVERHEAD, file_size
from progressive.evaluation.curves import Point, byte_limit
from progressive.evaluation.meter import Meter
from progressive.stream import LayeredStream


def stream_points(
    codec: ProgressiveCodec,
    stream: LayeredStream,
    meter: Meter,
    rates: Sequence[float] | None = None,
) -> Iterator[Point]:
    """The picture of the longest cut that fits each rate, in bits a pixel; of every cut if there are no rates.

    The sizes are those of the `.prog` files. A rate that cuts where a lower one did adds no point, and one that is too
    low for the first segment none either.
    """
    limits = None if rates is None else sorted(byte_limit(bpp, meter.pixels) for bpp in rates)
    decoder = codec.decoder(stream.header)
    size = file_size(stream.keep(()))
    for number, segment in enumerate(stream.segments, 1):
        size += RECORD_OVERHEAD + len(segment.payload)
        decoder.push(segment.id, segment.payload)
        following = stream.segments[number : number + 1]
        next_size = size + RECORD_OVERHEAD + len(following[0].payload) if following else None
        if limits is None or any(size <= limit and (next_size is None or limit < next_size) for limit in limits):
            yield meter(decoder.picture(), size, f"{number} of {len(stream.segments)} segments")
        if limits and next_size is not None and next_size > limits[-1]:
            return
