"""Files that show what their longest unbroken beginning gives: the formats that people use today.

    photo ─ encoder ─> file of at most a rate ─ cut into payloads ─> packets; picture of the first 0, 1, .. of them

Every beginning is decoded by the format's own decoder; where it refuses one, the picture before stays. The file is the
payload, without framing of its own, behind the same packet header as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.cache import Arrays, cached, digest_of
from experiments.material import Material, Pieces, chain_needs, even_steps
from experiments.sources.decode_times import decode_seconds
from experiments.sources.measure import similarities, squared_error
from progressive import metrics
from progressive.codec import Photo
from progressive.wire.packet import OVERHEAD

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

BASE_GAIN_DB = 6.0
"""The base is the first packets up to the picture that is so much better than grey: what a planner keeps safe."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A file.

    Fields:
        data: all of it.
        steps: lengths of the beginnings that show something, rising; empty if any may.
    """

    data: bytes
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class PrefixSource:
    """A format.

    Fields:
        name: of the format.
        files: the best file for each limit in bytes, by limit; none for a limit that no file fits.
        picture: of the beginning of a file, given the photo's height and width; None if the decoder shows nothing.
        rates_bpp: that files are made for.
        version: of encoder and decoder, with their settings.
        check: raises UsageError if it cannot be used here.
    """

    name: str
    files: Callable[[Photo, Sequence[int]], Mapping[int, Coded]]
    picture: Callable[[bytes, tuple[int, int]], Photo | None]
    rates_bpp: tuple[float, ...]
    version: Callable[[], str]
    check: Callable[[], None] = lambda: None

    def identity(self) -> str:
        return f"{self.name} {self.version()} {self.rates_bpp}"

    def material(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path) -> Material | None:
        """The packets of the file of one of the rates; None if no file is as small.

        Made once for a photo and kept in `folder`, as are the files of all rates.
        """
        arrays = cached(
            folder,
            lambda: self._measured(photo, rate_bpp, packet_size - OVERHEAD, folder),
            "prefix",
            self.identity(),
            digest_of(photo),
            rate_bpp,
            packet_size,
        )
        if not len(arrays["sizes"]):
            return None
        sizes = np.asarray(arrays["sizes"], np.intp) + OVERHEAD
        left, similarity = (np.asarray(arrays[name], np.float64) for name in ("left", "similarity"))
        needs = chain_needs(len(sizes))
        return Material(
            sizes=sizes,
            needs=needs,
            utility=utilities(left, sizes),
            base=_base(left),
            first_picture=int(arrays["first_picture"]),
            pieces=Pieces(np.arange(len(sizes)), needs, -np.diff(left), np.diff(similarity)),
            grey=float(left[0]),
            grey_similarity=float(similarity[0]),
            samples=photo.size,
            decode_s=decode_seconds(self.name, photo),
        )

    def pictures(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path, count: int) -> list[Photo]:
        """What the first packets show, from none to all, `count` pictures at most."""
        coded, payload, grey = self._files_of(photo, folder)[f"{rate_bpp}"], packet_size - OVERHEAD, _grey(photo)
        packets = -(-len(coded.data) // payload)
        ends = [min(payload * number, len(coded.data)) for number in even_steps(packets, count)[1:].tolist()]
        return [grey if picture is None else picture for picture in self._pictures(coded, ends, photo)]

    def _measured(self, photo: Photo, rate_bpp: float | None, payload: int, folder: Path) -> Arrays:
        coded = self._files_of(photo, folder).get(f"{rate_bpp}")
        if coded is None:
            return {"sizes": np.zeros(0, np.intp)}
        ends = [*range(payload, len(coded.data), payload), len(coded.data)]
        pictures = self._pictures(coded, ends, photo)
        shown = [number for number, picture in enumerate(pictures) if picture is not None]
        grey = _grey(photo)
        seen = [grey if picture is None else picture for picture in pictures]
        return {
            "sizes": np.diff(ends, prepend=0),
            "first_picture": np.array(min(shown, default=len(ends))),
            "left": np.array([squared_error(picture, photo) for picture in seen]),
            "similarity": similarities(seen, photo),
        }

    def _pictures(self, coded: Coded, ends: Sequence[int], photo: Photo) -> list[Photo | None]:
        """Of the first 0, 1, .. packets; where the decoder refuses, the one before."""
        pictures: list[Photo | None] = [None]
        height, width = photo.shape[:2]
        before = 0
        for end in ends:
            usable = max((step for step in coded.steps if step <= end), default=0) if coded.steps else end
            picture = self.picture(coded.data[:usable], (height, width)) if usable > before else None
            pictures.append(pictures[-1] if picture is None else picture)
            before = usable
        return pictures

    def _files_of(self, photo: Photo, folder: Path) -> dict[str, Coded]:
        pixels = photo.shape[0] * photo.shape[1]
        limits = {int(rate * pixels / 8): f"{rate}" for rate in self.rates_bpp}

        def make() -> Arrays:
            kept: dict[str, NDArray[np.generic]] = {}
            for limit, coded in self.files(photo, list(limits)).items():
                kept[f"{limits[limit]} data"] = np.frombuffer(coded.data, np.uint8)
                kept[f"{limits[limit]} steps"] = np.array(coded.steps, np.intp)
            return kept

        kept = cached(folder, make, "files", self.identity(), digest_of(photo))
        return {
            rate: Coded(kept[f"{rate} data"].tobytes(), tuple(kept[f"{rate} steps"].tolist()))
            for rate in limits.values()
            if f"{rate} data" in kept
        }


def best_within(
    files: Iterable[bytes], limits: Sequence[int], decode: Callable[[bytes], Photo], photo: Photo
) -> dict[int, bytes]:
    """Of some files the one of the highest PSNR among those that fit each limit."""
    measured = [(metrics.psnr(decode(data), photo), data) for data in files]
    best = {limit: max((m for m in measured if len(m[1]) <= limit), default=None) for limit in limits}
    return {limit: found[1] for limit, found in best.items() if found is not None}


def utilities(left: Floats, sizes: Ints) -> Floats:
    """What each packet is worth to a planner, [S]: the slopes of the least concave curve above distortion by bytes.

    Packets that show nothing until a later one has come share its gain: a planner goes by packets, and must not take
    them for worthless.

    Args:
        left: squared error after the first 0, 1, .. packets, [S + 1].
        sizes: of the packets in bytes, [S].
    """
    best = np.minimum.accumulate(left)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    corners = [0]
    while corners[-1] < len(sizes):
        here = corners[-1]
        slopes = (best[here] - best[here + 1 :]) / (ends[here + 1 :] - ends[here])
        corners.append(here + 1 + int(len(slopes) - 1 - slopes[::-1].argmax()))
    return np.asarray(-np.diff(np.interp(ends, ends[corners], best[corners])))


def _grey(photo: Photo) -> Photo:
    return np.full_like(photo, 128)


def _base(left: Floats) -> int:
    """So many packets are the base; all if only they show anything."""
    better = np.flatnonzero(left <= left[0] * 10 ** (-BASE_GAIN_DB / 10))
    return int(better[0]) if len(better) else len(left) - 1
