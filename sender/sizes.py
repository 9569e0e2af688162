"""The size to code a photo at: the one with the best picture at the deadline, beside the original at its own size.

from sizes too small to sizes too large, twice the pixels each time, until it gets worse; then between the best two
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from progressive.codec import Photo, ProgressiveCodec
from progressive.metrics.pixelwise import psnr
from progressive.packing.packed import PackedStream
from progressive.photos import downscale, resized
from sender.expectation import affordable

SHORTEST_SIDE = 64
"""No photo is downscaled to a shorter side than this: less shows nothing, and its base hardly takes fewer bytes."""

ENOUGH_BPP = 0.15
"""With so many bits a pixel a photo is best at its own size, or as good as at any other, and nothing is tried."""

FIRST_BPP, LAST_BPP = 0.3, 0.04
"""What is left a pixel at the sizes that are tried: with more a larger one is better, with less a smaller one."""

STEPS_OF_TWO = 4
"""Sides are divided by powers of the fourth root of two."""

FEW_PIXELS, FINE_PIXELS = 100_000, 1_000_000
"""All of these sizes are tried as long as photos have few pixels, of larger ones every second, and those beside the
best unless they take long to code."""

BASE_SHARE = 0.5
"""The base may take this share of the time until the deadline, where a smaller size needs less: there has to be time to
send again what is lost of it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A photo at a size.

    Fields:
        factor: what its sides were divided by, 1 or more.
        photo: as coded, [H, W, 3].
        packed: its stream.
        psnr: of the picture at the deadline, if nothing is lost, in dB; minus infinity if the base comes too late,
            not a number if nothing was to be compared.
    """

    factor: float
    photo: Photo
    packed: PackedStream
    psnr: float


@dataclass(frozen=True, slots=True)
class _Coded:
    """Fields: of `Trial`; late: the base leaves too little time."""

    factor: float
    photo: Photo
    packed: PackedStream
    late: bool


class Sizes:
    """Tries sizes of one photo, each once."""

    def __init__(
        self,
        original: Photo,
        codec: ProgressiveCodec,
        encode: Callable[[Photo], PackedStream],
        *,
        budget_bytes: int,
        base_share: Callable[[PackedStream], float],
    ) -> None:
        """
        Args:
            original: [H, W, 3].
            codec: to decode with.
            encode: makes a stream of a photo.
            budget_bytes: of segments that there is time for.
            base_share: of the time until the deadline that the base of a stream takes.
        """
        self._original, self._codec, self._encode = original, codec, encode
        self._budget, self._base_share = budget_bytes, base_share
        self._largest = max(1.0, float(min(original.shape[:2]) / SHORTEST_SIDE))
        self._trials: dict[float, Trial] = {}
        self._latest: _Coded | None = None

    def best(self) -> Trial:
        """The size with the best picture; of none whose base comes in time the smallest."""
        pixels = self._original.shape[0] * self._original.shape[1]
        bpp = 8 * self._budget / pixels
        if bpp >= ENOUGH_BPP and not (own := self._coded(1.0)).late:
            return Trial(1.0, own.photo, own.packed, math.nan)
        number = max(0, math.ceil(STEPS_OF_TWO * math.log2(math.sqrt(FIRST_BPP / bpp))))
        best = self.tried(self._factor(number))
        while best.psnr == -math.inf and self._factor(number) < self._largest:
            number += 2
            best = self.tried(self._factor(number))
        while number > 0 and bpp * self._factor(number) ** 2 > LAST_BPP:
            number -= 1 if pixels / self._factor(number - 1) ** 2 <= FEW_PIXELS else 2
            best = self._better(best, number)
        if pixels / best.factor**2 <= FINE_PIXELS and best.psnr > -math.inf:
            number = round(STEPS_OF_TWO * math.log2(best.factor))
            best = self._better(self._better(best, number - 1), number + 1)
        return best

    def _factor(self, number: int) -> float:
        return float(min(self._largest, 2 ** (max(0, number) / STEPS_OF_TWO)))

    def _better(self, best: Trial, number: int) -> Trial:
        return max(best, self.tried(self._factor(number)), key=lambda trial: trial.psnr)

    def tried(self, factor: float) -> Trial:
        """The photo with its sides divided by this, 1 or more."""
        if factor not in self._trials:
            coded = self._coded(factor)
            quality = -math.inf if coded.late else self._psnr(coded.packed)
            self._trials[factor] = Trial(factor, coded.photo, coded.packed, quality)
        return self._trials[factor]

    def _coded(self, factor: float) -> _Coded:
        if self._latest is None or self._latest.factor != factor:
            photo = downscale(self._original, factor)
            packed = self._encode(photo)
            late = factor < self._largest and self._base_share(packed) > BASE_SHARE
            self._latest = _Coded(factor, photo, packed, late)
        return self._latest

    def _psnr(self, packed: PackedStream) -> float:
        decoder = self._codec.decoder(packed.stream.header, device="cpu")
        decoder.push_all((s.id, s.payload) for s in affordable(packed.stream.segments, self._budget))
        return psnr(resized(decoder.picture(), self._original.shape), self._original)
