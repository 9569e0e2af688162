"""The library in a few lines: code a photo once, lose a tenth of its enhance segments, look at what is left.

python examples/library.py [PHOTO]
"""

from __future__ import annotations

import random
import sys

from progressive.metrics import psnr
from progressive.photos import read_photo, sample_photo, write_png
from progressive.registry import DEFAULT_CODEC, load_codec

LOSS = 0.1


def main() -> None:
    photo = read_photo(sys.argv[1]) if len(sys.argv) > 1 else sample_photo()
    codec = load_codec(DEFAULT_CODEC)
    stream = codec.encode(photo, max_payload=1000)
    base = [s for s in stream.segments if s.layer == 0]
    rng = random.Random(1)
    enhance = [s for s in stream.segments if s.layer > 0 and rng.random() > LOSS]
    rng.shuffle(enhance)

    decoder = codec.decoder(stream.header)
    for segment in (*base, *enhance):
        decoder.push(segment.id, segment.payload)
    status = decoder.status
    print(f"{len(stream.segments)} segments, {stream.size} bytes; {status.decoded} shown, {status.waiting} wait")
    print(f"PSNR {psnr(decoder.picture(), photo):.2f} dB")
    write_png("picture.png", decoder.picture())


if __name__ == "__main__":
    main()
