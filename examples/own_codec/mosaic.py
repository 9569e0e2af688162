"""A codec of one's own in forty lines: `python -m progressive encode PHOTO out.prog --codec mosaic:Mosaic`."""

from collections.abc import Sequence

import numpy as np

from progressive.chained_codec import ChainedCodec
from progressive.codec import Photo

SQUARES = (32, 16, 8, 4)
"""Sides in pixels: each mosaic shows the mean colour of ever smaller squares."""


class Mosaic(ChainedCodec):
    """Sends a coarse mosaic of each tile first, then finer ones, as plain samples."""

    name = "mosaic"

    def encode_tile(self, tile: Photo, room: int) -> tuple[list[bytes], int]:
        mosaics = [means(tile, side).tobytes() for side in SQUARES]
        pieces = [[data[start : start + room] for start in range(0, len(data), room)] for data in mosaics]
        return [piece for own in pieces for piece in own], len(pieces[0])

    def decode_tile(self, records: Sequence[bytes], height: int, width: int) -> Photo:
        data, picture = b"".join(records), np.full((height, width, 3), 128, np.uint8)
        for side in SQUARES:
            mosaic = means(picture, side)
            known, data = data[: mosaic.size], data[mosaic.size :]
            mosaic.flat[: len(known)] = np.frombuffer(known, np.uint8)
            picture = mosaic.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
            if not data:
                return picture
        raise ValueError("more samples than the finest mosaic has")


def means(picture: Photo, side: int) -> Photo:
    """The mean colour of each square, [h / side, w / side, 3], rounded up."""
    height, width = picture.shape[:2]
    full = np.pad(picture, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    rows, columns = full.shape[0] // side, full.shape[1] // side
    return full.reshape(rows, side, columns, side, 3).mean(axis=(1, 3)).round().astype(np.uint8)
