"""Points of real bytes and measured quality, for one photo and one system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from progressive import metrics
from progressive.codec import Photo, ProgressiveCodec
from progressive.container import RECORD_OVERHEAD, file_size


@dataclass(frozen=True, slots=True)
class Point:
    """A picture that a file of this many bytes gives; MS-SSIM is None for photos that are too small for it."""

    bytes: int
    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """All that a system offers for a photo, by rising number of bytes."""

    system: str
    photo: str
    pixels: int
    points: tuple[Point, ...]

    def best_within(self, bpp: float) -> Point | None:
        """The best picture whose whole file fits this many bits a pixel; None if no file does."""
        fitting = [p for p in self.points if 8 * p.bytes <= bpp * self.pixels]
        return max(fitting, key=lambda p: p.psnr, default=None)


def measure(picture: Photo, original: Photo, size: int) -> Point:
    return Point(size, metrics.psnr(picture, original), metrics.ms_ssim(picture, original))


def curve(system: str, name: str, original: Photo, points: Iterable[Point]) -> Curve:
    ranked = tuple(sorted(points, key=lambda p: p.bytes))
    return Curve(system, name, original.shape[0] * original.shape[1], ranked)


def stream_points(codec: ProgressiveCodec, original: Photo, *, max_bpp: float, max_payload: int) -> Iterable[Point]:
    """One stream, cut after each of its segments: the sizes are those of the `.prog` files."""
    stream = codec.encode(original, max_payload=max_payload)
    limit = max_bpp * original.shape[0] * original.shape[1] / 8
    decoder = codec.decoder(stream.header)
    size = file_size(stream.keep(()))
    for segment in stream.segments:
        size += RECORD_OVERHEAD + len(segment.payload)
        if size > limit:
            return
        decoder.push(segment.id, segment.payload)
        yield measure(decoder.picture(), original, size)
