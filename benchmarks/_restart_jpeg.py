"""Baseline JPEG over a link that loses packets: restart intervals dealt out to packets, the lost ones concealed.

A decoder needs every interval to stay in step. In the place of a lost one it gets a copy of an intact neighbour, which
decodes wherever it stands since an interval starts anew; what it shows there is then painted over from the intact
pixels around.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks._packets import Lost, PacketedFile, deal, largest_within
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics import psnr

GREY = 128

SCALES = tuple(1.02 ** np.arange(240, -180, -1))
"""Of the standard quantisers, from the coarsest."""

_SOF0, _SOS, _DRI, _EOI = 0xC0, 0xDA, 0xDD, b"\xff\xd9"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
"""In a scan a byte FF of the code is followed by 00, so that a marker is never mistaken."""


@dataclass(frozen=True, slots=True)
class RestartJpeg:
    """A baseline JPEG in pieces.

    Fields:
        head: all up to the scan's code.
        intervals: the code of each restart interval, without markers.
        interval_mcus: MCUs in an interval; the last may hold fewer.
        mcu: height and width of an MCU in pixels.
        shape: height and width of the photo.
        packet_of: the packet that each interval travels in, [intervals].
    """

    head: bytes
    intervals: tuple[bytes, ...]
    interval_mcus: int
    mcu: tuple[int, int]
    shape: tuple[int, int]
    packet_of: NDArray[np.intp]

    @property
    def size(self) -> int:
        return len(self._assembled(self.intervals))

    @property
    def packets(self) -> int:
        return int(self.packet_of.max()) + 1

    def picture(self, lost: Lost) -> Photo:
        return self.without(lost[self.packet_of])

    def without(self, lost: NDArray[np.bool_]) -> Photo:
        """The picture when these intervals are lost, [intervals] -> [H, W, 3]; grey when all are."""
        whole = np.flatnonzero(~lost)
        if not len(whole):
            return np.full((*self.shape, 3), GREY, np.uint8)
        standing_in = [
            self.intervals[i if not lost[i] else whole[np.abs(whole - i).argmin()]] for i in range(len(lost))
        ]
        with Image.open(io.BytesIO(self._assembled(standing_in))) as image:
            decoded = np.asarray(image.convert("RGB"))
        return conceal(decoded, self.pixels_of(lost)) if lost.any() else decoded

    def pixels_of(self, intervals: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels that these intervals show, [H, W]."""
        rows, columns = (-(-side // step) for side, step in zip(self.shape, self.mcu, strict=True))
        mcus = intervals[np.arange(rows * columns) // self.interval_mcus].reshape(rows, columns)
        pixels = mcus.repeat(self.mcu[0], 0).repeat(self.mcu[1], 1)
        return np.asarray(pixels[: self.shape[0], : self.shape[1]])

    def _assembled(self, intervals: tuple[bytes, ...] | list[bytes]) -> bytes:
        scan = intervals[0] + b"".join(
            bytes((0xFF, 0xD0 + number % 8)) + code for number, code in enumerate(intervals[1:])
        )
        return self.head + scan + _EOI


def restart_jpeg(photo: Photo, scale: float, subsampling: str, interval_mcus: int, max_payload: int) -> RestartJpeg:
    """Baseline JPEG with the standard quantisers, scaled, and optimised Huffman tables.

    Raises UsageError if an interval fits no packet.
    """
    file = io.BytesIO()
    tables = [np.clip(np.rint(scale * table), 1, 255).astype(int).tolist() for table in _standard_tables()]
    settings = {"qtables": tables, "subsampling": subsampling, "optimize": True}
    Image.fromarray(photo).save(file, "JPEG", restart_marker_blocks=interval_mcus, **settings)
    return parse(file.getvalue(), max_payload)


def parse(data: bytes, max_payload: int) -> RestartJpeg:
    """Cuts a baseline JPEG of one scan at its restart markers."""
    position, restart, mcu, shape = 2, 0, (8, 8), (0, 0)
    while True:
        _, marker, length = struct.unpack_from("!BBH", data, position)
        if marker == _SOF0:
            height, width, components = struct.unpack_from("!HHB", data, position + 5)
            factors = [divmod(data[position + 11 + 3 * c], 16) for c in range(components)]
            shape, mcu = (height, width), (8 * max(v for _, v in factors), 8 * max(h for h, _ in factors))
        elif marker == _DRI:
            (restart,) = struct.unpack_from("!H", data, position + 4)
        position += 2 + length
        if marker == _SOS:
            break
    intervals = tuple(_RESTART.split(data[position : -len(_EOI)]))
    row_length = max(1, -(-shape[1] // mcu[1]) // restart)
    packet_of = deal([len(code) for code in intervals], row_length, max_payload)
    return RestartJpeg(data[:position], intervals, restart, mcu, shape, packet_of)


def best_restart_jpeg(photo: Photo, size_bytes: int, interval_mcus: int, max_payload: int) -> PacketedFile | None:
    """The best file of at most this size by quantisers and resolution of chroma; None if none is as small."""

    def best_of(subsampling: str) -> PacketedFile | None:
        def make(scale: float) -> PacketedFile | None:
            try:
                return restart_jpeg(photo, scale, subsampling, interval_mcus, max_payload)
            except UsageError:
                return None

        return largest_within(size_bytes, make, SCALES)

    def quality_of(file: PacketedFile) -> float:
        return psnr(file.picture(np.zeros(file.packets, bool)), photo)

    files = [file for subsampling in ("4:2:0", "4:4:4") if (file := best_of(subsampling)) is not None]
    return max(files, key=quality_of, default=None)


@cache
def _standard_tables() -> list[NDArray[np.float64]]:
    """Those of ISO/IEC 10918-1, annex K: what quality 50 means."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=50)
    with Image.open(file) as image:
        return [np.asarray(table, np.float64) for table in image.quantization.values()]  # type: ignore[attr-defined]


def conceal(picture: Photo, lost: NDArray[np.bool_]) -> Photo:
    """Paints over the lost pixels, [H, W], from the nearest intact ones above, below, left and right.

    Each of the four counts by the inverse of its distance; where there is none, grey.
    """
    total, weights = np.zeros(picture.shape), np.zeros(lost.shape)
    for quarter in range(4):
        pixels, gone = np.rot90(picture, quarter), np.rot90(lost, quarter)
        rows = np.arange(len(gone))[:, None]
        nearest = np.maximum.accumulate(np.where(gone, -1, rows), axis=0)
        weight = np.where(gone & (nearest >= 0), 1 / np.maximum(rows - nearest, 1), 0)
        values = weight[..., None] * np.take_along_axis(pixels, np.maximum(nearest, 0)[..., None], axis=0)
        total += np.rot90(values, -quarter)
        weights += np.rot90(weight, -quarter)
    known = weights > 0
    painted = np.where(known[..., None], total / np.where(known, weights, 1)[..., None], GREY)
    return np.where(lost[..., None], np.rint(painted).astype(np.uint8), picture)
