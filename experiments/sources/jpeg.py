"""Progressive JPEG: its first scans show the whole photo coarsely, the later ones refine it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache, partial
from importlib import metadata

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.sources.pillow import decode, decode_if_accepted, encode
from experiments.sources.prefix import Coded, PrefixSource, best_within
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.peers.formats import scan_optimiser
from progressive.evaluation.peers.search import tightest

RATES_BPP = tuple(0.1 * 1.6**step for step in range(8))
SCALES = tuple(1.03 ** np.arange(160, -120, -1))
"""Of the standard's quantisers, from the coarsest."""

END_OF_IMAGE = b"\xff\xd9"


def jpeg_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """Scans and Huffman tables optimised by mozjpeg; chroma at half or full resolution, whichever is better."""
    optimise = scan_optimiser()

    def coded(subsampling: str, scale: float) -> bytes:
        tables = [np.clip(np.rint(table * scale), 1, 255).astype(int).tolist() for table in _standard_tables()]
        settings = {"qtables": tables, "subsampling": subsampling, "progressive": True, "optimize": True}
        return optimise(encode(photo, "JPEG", settings))

    found = [
        data for subsampling in ("4:2:0", "4:4:4") for _, data in tightest(partial(coded, subsampling), SCALES, limits)
    ]
    return {limit: Coded(data) for limit, data in best_within(found, limits, decode, photo).items()}


def jpeg_picture(data: bytes, _shape: tuple[int, int]) -> Photo | None:
    """What libjpeg shows of the beginning of a file: its whole scans, and the last one as far as it goes."""
    return decode_if_accepted(data + END_OF_IMAGE)


@cache
def _standard_tables() -> list[NDArray[np.float64]]:
    """Those of ISO/IEC 10918-1, annex K: what quality 50 means."""
    with Image.open(io.BytesIO(encode(np.zeros((8, 8, 3), np.uint8), "JPEG", {"quality": 50}))) as image:
        return [np.asarray(table, np.float64) for table in image.quantization.values()]  # type: ignore[attr-defined]


def _version() -> str:
    return f"pillow {metadata.version('pillow')} mozjpeg {metadata.version('mozjpeg-lossless-optimization')}"


def _check() -> None:
    if scan_optimiser() is bytes:
        raise UsageError("progressive JPEG at its best needs the extra 'mozjpeg': pip install 'progressive[mozjpeg]'")


JPEG = PrefixSource("jpeg", jpeg_files, jpeg_picture, RATES_BPP, _version, _check)
