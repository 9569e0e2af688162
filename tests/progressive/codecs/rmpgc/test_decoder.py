"""What forged segments cost a decoder grows as their number, not as its square."""

import sys
from dataclasses import replace

from progressive.codec import Photo
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.segments import Contents


def calls_for_fragments(codec: Rmpgc, photo: Photo, count: int) -> int:
    """Calls, and resumptions of generators, while so many fragments of one whole that never completes come in."""
    decoder = codec.decoder(replace(codec.encode(photo).header, segment_count=0xFFFF))
    fragments = [Contents(0, 0, (), b"code", number, 60_000).to_bytes() for number in range(count)]
    calls = 0

    def profile(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(profile)
    try:
        for number, fragment in enumerate(fragments, 1):
            decoder.push(number, fragment)
            assert decoder.status.waiting == number
    finally:
        sys.setprofile(None)
    return calls


def test_fragments_that_never_complete_cost_as_their_number(codec: Rmpgc, photo: Photo) -> None:
    assert calls_for_fragments(codec, photo, 400) < 3 * calls_for_fragments(codec, photo, 200)
