"""The dual autoencoder beside progressive JPEG, and beside its paper on boats; fails if it falls behind either.

    python -m benchmarks.compression [FOLDER]

FOLDER holds the usual 512x512 grey test images, boats.png among them; without it `classic` in PROGRESSIVE_DATA (or
`data`) is taken. Every file is real: each point of our stream is a `.prog` file of that size.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from progressive.container import cut
from progressive.evaluation.curves import Curve, byte_limit, curve
from progressive.evaluation.meter import Meter
from progressive.evaluation.peers import peer_points
from progressive.evaluation.streams import stream_points
from progressive.photos import find_photos, read_photo
from progressive.registry import load_codec

PAPER_BOATS = ((29_843, 25.10), (43_268, 26.82), (52_263, 27.46))
"""Bits and PSNR in dB: Taha et al. 2025, table 4, eight outputs."""

JPEG_RATES = tuple(0.02 * 1.04**step for step in range(60))
MAX_BPP = JPEG_RATES[-1]
SEGMENT_SIZE = 500


def behind_jpeg(ours: Curve, jpeg: Curve) -> list[str]:
    """The JPEG files below MAX_BPP that are better than our best of at most their size."""
    behind = []
    for point in jpeg.points:
        best = ours.best_within(8 * point.bytes / ours.pixels)
        if best is None or best.psnr <= point.psnr:
            behind.append(f"{ours.photo}: {point.psnr:.2f} dB by a JPEG of {point.bytes} bytes, ours {best}")
    return behind


def behind_paper(ours: Curve) -> list[str]:
    """The points of the paper on boats that are better than ours; prints both."""
    behind = []
    for bits, psnr in PAPER_BOATS:
        best = ours.best_within(bits / ours.pixels)
        found = best.psnr if best else 0.0
        print(f"boats within {bits} bits: {found:.2f} dB, the paper {psnr:.2f}")
        if found < psnr:
            behind.append(f"boats: {found:.2f} dB within {bits} bits, the paper {psnr:.2f}")
    return behind


def main() -> None:
    default = Path(os.environ.get("PROGRESSIVE_DATA") or "data") / "classic"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    if not folder.is_dir():
        print(f"there is no folder {folder}: give one of photos, or set PROGRESSIVE_DATA")
        return
    codec, behind = load_codec("dual_autoencoder"), list[str]()
    for path in find_photos(str(folder)):
        photo = read_photo(path)
        meter = Meter(photo)
        stream = cut(codec.encode(photo, max_payload=SEGMENT_SIZE), byte_limit(MAX_BPP, meter.pixels))
        ours = curve(codec.name, path.stem, meter.pixels, stream_points(codec, stream, meter), one_stream=True)
        jpeg = curve("jpeg", path.stem, meter.pixels, peer_points("jpeg", meter, JPEG_RATES))
        behind += behind_jpeg(ours, jpeg)
        print(f"{path.stem}: beside {len(jpeg.points)} JPEGs below {MAX_BPP:.2f} bpp")
        if path.stem == "boats":
            behind += behind_paper(ours)
    if behind:
        sys.exit("behind:\n" + "\n".join(behind))
    print("ahead everywhere")


if __name__ == "__main__":
    main()
