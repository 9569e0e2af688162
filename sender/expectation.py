"""How good the pictures of a stream will be: decoded here, at a few points, and measured against the original."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo, ProgressiveCodec
from progressive.metrics.pixelwise import psnr
from progressive.packing.packed import PackedStream
from progressive.photos import resized
from progressive.runtime.stopping import Stop, StoppedError, never
from progressive.stream import Segment
from progressive.wire.expected_quality import HIGHEST_DB, Curve, places

MOST_POINTS = 12
"""Points of a curve, each a picture to make."""

MOST_PIXELS = 24_000_000
"""Of all pictures that are made for a curve: a large photo has fewer points, and one of more than half of this none,
as it would be late."""


def measured_curve(
    packed: PackedStream,
    codec: ProgressiveCodec,
    original: Photo,
    *,
    budget_bytes: int | None = None,
    stop: Stop = never,
    hurry: Stop = never,
    last_first: bool = False,
) -> Curve | None:
    """The quality of a stream as far as a sender can send it.

    Args:
        packed: the stream.
        codec: that made it.
        original: what pictures are measured against, [H, W, 3], at its own size.
        budget_bytes: of payloads that can be sent; None for all.
        stop: asked between pictures; raises StoppedError if it says so.
        hurry: asked between pictures; once it says so, only the last point is still measured, and what lies between is
            taken from the segments' utilities.
        last_first: measure the last point first, for who will be in a hurry soon; in all it takes longer, as the
            stream is decoded twice.

    None for a stream without a base, and for a photo so large that its pictures would take too long.
    """
    segments = affordable(packed.stream.segments, budget_bytes)
    base = max((s.id for s in segments if s.layer == 0), default=0)
    header = packed.stream.header
    points = min(MOST_POINTS, MOST_PIXELS // max(header.width * header.height, 1))
    if not base or points < 2:
        return None
    last = max(base, *(s.id for s in segments))
    beyond = min(last - base, points - points // 4)
    base_points = min(base, max(1, points // 4))
    ids = [0, *places(base, last, base_points, base_points + beyond)]
    measured, before = dict[int, float](), sorted({*ids} - {last})
    for order in ([last], before) if last_first else ([*before, last],):
        decoder, shown = codec.decoder(header, device="cpu"), 0
        for place in order:
            if stop():
                raise StoppedError
            if 0 < place < last and hurry():
                continue
            decoder.push_all((s.id, s.payload) for s in segments if shown < s.id <= place)
            measured[place] = psnr(resized(decoder.picture(stop=stop), original.shape), original)
            shown = place
    return Curve.of(base, last, base_points, _completed(measured, segments)[ids].tolist())


def _completed(measured: Mapping[int, float], segments: Sequence[Segment]) -> NDArray[np.float64]:
    """PSNR of every id from that of some, the first and the last one among them: between two, squared error falls as
    the segments' utilities say."""
    known = sorted(measured)
    utility = np.zeros(known[-1] + 1)
    for segment in segments:
        utility[segment.id] = max(segment.utility, 0.0) if isfinite(segment.utility) else 0.0
    worth = np.cumsum(utility + 1e-9 * (utility.sum() + 1))
    errors = 10 ** (-np.minimum([measured[place] for place in known], HIGHEST_DB) / 10)
    completed = -10 * np.log10(np.interp(worth, worth[known], errors))
    completed[known] = np.minimum([measured[place] for place in known], HIGHEST_DB)
    return np.asarray(completed)


class Expected:
    """The curve of a photo, measured when it is first asked for; the original is let go of then."""

    def __init__(
        self, packed: PackedStream, codec: ProgressiveCodec, original: Photo, budget_bytes: int | None = None
    ) -> None:
        self._work: tuple[PackedStream, ProgressiveCodec, Photo, int | None] | None = (
            packed,
            codec,
            original,
            budget_bytes,
        )
        self._curve: Curve | None = None
        self._lock = threading.Lock()

    def curve(self, stop: Stop = never, hurry: Stop = never, *, last_first: bool = False) -> Curve | None:
        """May be called by several threads; all but the first wait. Raises StoppedError if `stop` says so. Who calls
        next after that, or after one who was in a hurry, measures anew."""
        with self._lock:
            if self._work is None:
                return self._curve
            packed, codec, original, budget = self._work
            curve = measured_curve(
                packed, codec, original, budget_bytes=budget, stop=stop, hurry=hurry, last_first=last_first
            )
            if not hurry():
                self._curve, self._work = curve, None
            return curve


def affordable(segments: Sequence[Segment], budget_bytes: int | None) -> list[Segment]:
    """The base, and what else of the order of sending the budget pays for."""
    taken, size = [], 0
    for segment in segments:
        size += len(segment.payload)
        if budget_bytes is not None and size > budget_bytes and segment.layer > 0:
            break
        taken.append(segment)
    return sorted(taken, key=lambda segment: segment.id)
