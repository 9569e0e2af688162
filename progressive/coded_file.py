"""A photo as a file of limited size."""

from __future__ import annotations

from progressive.codec import Photo, ProgressiveCodec, encode_for
from progressive.container import cut, file_size, payload_within
from progressive.errors import UsageError
from progressive.stream import LayeredStream

LARGEST_SEGMENT, SMALLEST_SEGMENT = 1000, 300


def coded_within(
    codec: ProgressiveCodec, photo: Photo, limit: int | None, *, context: str | None = None
) -> LayeredStream:
    """The stream of a photo whose file has at most `limit` bytes; all of it for None.

    It has no segments that would wait for others for ever. Raises UsageError if no file that shows anything fits, and
    as the codec does.
    """
    max_payload = _segment_size(codec, limit)
    budget = None if limit is None else payload_within(limit, max_payload)
    stream = encode_for(codec, photo, budget, max_payload=max_payload, context=context)
    if limit is None:
        return stream
    smallest = _until_it_shows(codec, stream)
    if file_size(smallest) > limit:
        raise UsageError(f"no picture of this photo fits {limit} bytes: its smallest file takes {file_size(smallest)}")
    return _what_shows(codec, cut(stream, limit))


def _segment_size(codec: ProgressiveCodec, limit: int | None) -> int:
    """Small files are cut between small segments, so that what is cut off is small too."""
    if limit is None:
        return LARGEST_SEGMENT
    return min(LARGEST_SEGMENT, max(SMALLEST_SEGMENT, codec.traits.smallest_payload, limit // 12))


def _until_it_shows(codec: ProgressiveCodec, stream: LayeredStream) -> LayeredStream:
    """The shortest prefix of a stream that shows anything."""
    decoder = codec.decoder(stream.header)
    changes = (decoder.push(segment.id, segment.payload) for segment in stream.segments)
    count = next((number for number, changed in enumerate(changes, 1) if changed), 0)
    return stream.keep(stream.segments[:count])


def _what_shows(codec: ProgressiveCodec, stream: LayeredStream) -> LayeredStream:
    """The segments that change the picture, and all that they depend on."""
    decoder = codec.decoder(stream.header)
    needed = {segment.id for segment in stream.segments if decoder.push(segment.id, segment.payload)}
    for segment in reversed(stream.segments):
        if segment.id in needed:
            needed.update(segment.depends_on)
    return stream.keep(segment for segment in stream.segments if segment.id in needed)
