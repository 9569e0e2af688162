"""Points of real bytes and measured quality, for one photo and one system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Quality = Literal["psnr", "ms_ssim", "lpips"]


@dataclass(frozen=True, slots=True)
class Point:
    """A picture that a file of this many bytes gives.

    Fields:
        bytes: of the whole file.
        psnr: over RGB, in dB.
        ms_ssim: 0..1; None for photos that are too small for it.
        lpips: perceptual distance, zero or more; None without weights.
        top1: 1 if the classifier's first choice is the photo's label, else 0; None without label or classifier.
        probability: what the classifier gives the photo's label, 0..1; None likewise.
        setting: what made the file.
    """

    bytes: int
    psnr: float
    ms_ssim: float | None
    lpips: float | None = None
    top1: float | None = None
    probability: float | None = None
    setting: str = ""

    def goodness(self, quality: Quality) -> float | None:
        """The measure, higher for better pictures."""
        value: float | None = getattr(self, quality)
        return -value if value is not None and quality == "lpips" else value


@dataclass(frozen=True, slots=True)
class Origin:
    """All that decides a system's points of a photo.

    Fields:
        digest: SHA-256 of the photo, see `photo_digest`.
        label: class number of what it shows; None if it was not given.
        made_by: the system's settings and the versions of its libraries, in words.
        rates: bits a pixel that files were made for.
        judges: SHA-256 of the weights of the networks that judged the pictures; empty without any.
    """

    digest: str
    label: int | None
    made_by: str
    rates: tuple[float, ...]
    judges: str


@dataclass(frozen=True, slots=True)
class Curve:
    """What a system offers for a photo, by rising number of bytes.

    Fields:
        one_stream: the points are cuts of one stream, so that a rate's picture is the longest cut's, better or not.
        origin: None if nobody is to take the points for his own later.
    """

    system: str
    photo: str
    pixels: int
    points: tuple[Point, ...]
    one_stream: bool = False
    origin: Origin | None = None

    def best_within(self, bpp: float, quality: Quality = "psnr") -> Point | None:
        """The best picture whose whole file fits this many bits a pixel; None if no file does or has the measure."""
        fitting = [p for p in self.points if 8 * p.bytes <= bpp * self.pixels]
        fitting = fitting[-1:] if self.one_stream else fitting
        rated = [(goodness, p) for p in fitting if (goodness := p.goodness(quality)) is not None]
        return max(rated, key=lambda r: r[0], default=(0.0, None))[1]

    def front(self, quality: Quality) -> tuple[Point, ...]:
        """The points that are better than every smaller one, by rising bytes and rising quality."""
        front: list[Point] = []
        best = -float("inf")
        for point in self.points:
            goodness = point.goodness(quality)
            if goodness is not None and goodness > best:
                if front and front[-1].bytes == point.bytes:
                    front.pop()
                front.append(point)
                best = goodness
        return tuple(front)


def curve(
    system: str,
    name: str,
    pixels: int,
    points: Iterable[Point],
    *,
    one_stream: bool = False,
    origin: Origin | None = None,
) -> Curve:
    """The points in order of their bytes."""
    return Curve(system, name, pixels, tuple(sorted(points, key=lambda p: p.bytes)), one_stream, origin)


def byte_limit(bpp: float, pixels: int) -> int:
    """The largest file that has at most this many bits a pixel."""
    return int(bpp * pixels / 8)
