"""Seconds a megapixel from a packet to the picture that it gives, on one core: the table of the experiments.

    python -m benchmarks.decode_times > experiments/sources/decode_times.toml

Processor time, the least of some rounds, over two of scikit-image's photos. Our codecs take one more segment and make
the picture anew, median over the stream; the formats beside them decode a whole file of about 1 bit a pixel. JPEG XL is
decoded by its Pillow plugin: that its command line tool has to be started is not held against it.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from importlib import import_module

import numpy as np
from PIL import Image

from benchmarks import _data
from experiments.sources import PEERS
from experiments.sources.layered import PackedPhoto
from experiments.sources.prefix import PrefixSource
from progressive.codec import Photo
from progressive.photos import sample_photo
from progressive.registry import CODECS, load_codec

SAMPLES = ("coffee", "astronaut")
RATE_BPP = 1.0
ROUNDS = 5
PACKET_SIZE = 1100


def least(work: Callable[[], object]) -> float:
    """Processor time in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def of_codec(name: str, photo: Photo) -> float:
    packed = PackedPhoto.of(load_codec(name), photo, PACKET_SIZE)
    decoder = packed.codec.decoder(packed.stream.header)
    times = []
    for segment in packed.stream.segments:
        start = time.process_time()
        decoder.push(segment.id, segment.payload)
        decoder.picture()
        times.append(time.process_time() - start)
    return float(np.median(times))


def of_format(source: PrefixSource, photo: Photo) -> float:
    limit = int(RATE_BPP * photo.shape[0] * photo.shape[1] / 8)
    coded = source.files(photo, [limit])[limit]
    if source.name == "jxl-progressive":
        import_module("pillow_jxl")  # registers the format

        return least(lambda: np.asarray(Image.open(io.BytesIO(coded.data)).convert("RGB")))
    return least(lambda: source.picture(coded.data, photo.shape[:2]))


def benchmark() -> None:
    photos = [sample_photo(name) for name in SAMPLES]
    sys.stdout.write(
        "# Seconds a megapixel from a packet to the picture that it gives, on one core: "
        "python -m benchmarks.decode_times\n"
    )
    for name in [*CODECS, *PEERS]:
        times = []
        for photo in photos:
            source = PEERS.get(name)
            seconds = of_format(source, photo) if isinstance(source, PrefixSource) else of_codec(name, photo)
            times.append(seconds / (photo.shape[0] * photo.shape[1] / 1e6))
        sys.stdout.write(f"{name} = {float(np.mean(times)):.3f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _data.run(benchmark)
