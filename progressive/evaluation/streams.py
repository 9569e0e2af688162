"""One stream of a progressive codec, cut wherever a rate asks; of a codec with one rate a stream, a stream for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from progressive.codec import FAITHFUL, ProgressiveCodec, encode_for
from progressive.container import cut, file_size, payload_within
from progressive.evaluation.curves import Point, byte_limit
from progressive.evaluation.meter import Meter
from progressive.looks import picture_in
from progressive.stream import LayeredStream, Segment


def stream_points(
    codec: ProgressiveCodec,
    stream: LayeredStream,
    meter: Meter,
    rates: Sequence[float] | None = None,
    *,
    look: str = FAITHFUL,
) -> Iterator[Point]:
    """The picture of the longest cut that fits each rate, in bits a pixel; of every cut if there are no rates.

    The sizes are those of the `.prog` files. A rate that cuts where a lower one did adds no point, and one that is too
    low for the first segment none either.
    """
    counts = range(1, len(stream.segments) + 1)
    cuts: Iterable[LayeredStream] = (stream.keep(stream.segments[:count]) for count in counts)
    if rates is not None:
        cuts = _cuts_within(stream, sorted(byte_limit(bpp, meter.pixels) for bpp in rates))
    decoder, pushed = codec.decoder(stream.header), set[int]()
    for kept in cuts:
        if not pushed.issubset(s.id for s in kept.segments):
            decoder, pushed = codec.decoder(stream.header), set()
        for segment in kept.segments:
            decoder.push(segment.id, segment.payload)
            pushed.add(segment.id)
        yield meter(
            picture_in(decoder, look), file_size(kept), f"{len(kept.segments)} of {len(stream.segments)} segments"
        )


def rated_points(
    codec: ProgressiveCodec,
    meter: Meter,
    rates: Sequence[float],
    *,
    max_payload: int,
    context: str | None,
) -> Iterator[Point]:
    """For each rate, in bits a pixel, the picture of a stream that was made for it, of a codec that makes such ones."""
    for limit in sorted({byte_limit(bpp, meter.pixels) for bpp in rates}):
        budget = payload_within(limit, max_payload)
        stream = encode_for(codec, meter.original, budget, max_payload=max_payload, context=context)
        if limit < file_size(stream.keep(())):
            continue
        kept = cut(stream, limit)
        if not kept.segments:
            continue
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in kept.segments)
        yield meter(decoder.picture(), file_size(kept), f"{len(kept.segments)} of {len(stream.segments)} segments")


def _cuts_within(stream: LayeredStream, limits: Sequence[int]) -> Iterator[LayeredStream]:
    """The stream cut to each limit in turn, where the header fits and the limit makes a difference."""
    before: tuple[Segment, ...] = ()
    for limit in limits:
        if limit < file_size(stream.keep(())):
            continue
        kept = cut(stream, limit)
        if kept.segments != before:
            before = kept.segments
            yield kept
