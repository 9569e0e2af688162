"""Between photos and latents, piece by piece, so that memory is bounded.

Legend: H, W of the photo; R x K its blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, cut, zeros
from progressive.codecs.rmpgc.backbones.masked.model import Model, Networks
from progressive.codecs.rmpgc.layout import BLOCK, Layout
from progressive.runtime.stopping import Stop, check, never
from progressive.segments.pieces import known_part, padded, pieces, to_photo, with_margin

GREY = 128
"""Where nothing is known."""


def latent_of(photo: Photo, layout: Layout, model: Model) -> list[Layer]:
    """All layers of a photo [H, W, 3]."""
    shapes = model.coding.shapes
    whole = [zeros(shape, 1, layout.rows, layout.columns) for shape in shapes]
    for piece in pieces(layout, model.margin):
        around = with_margin(piece, layout, model.margin)
        found = cut(model.latent_of(padded(photo, around)), shapes, piece.inside(around))
        for layer, parts, shape in zip(whole, found, shapes, strict=True):
            for into, part, (_, side) in zip(layer, parts, shape, strict=True):
                into[:, :, *piece.slices(side)] = part
    return whole


def picture_of(
    layers: Sequence[Layer],
    mask: NDArray[np.bool_],
    layout: Layout,
    model: Model,
    networks: Networks,
    device: torch.device,
    known: NDArray[np.bool_] | None = None,
    stop: Stop = never,
) -> Photo:
    """The picture of a whole photo's layers, [H, W, 3]; mid-grey where nothing is known.

    Args:
        layers: zero where nothing is known.
        mask: where the enhance layer is known, at `model.side` positions a side of a block, [side R, side K].
        networks: the model's on the device.
        known: blocks of which something is known, [R, K]; all without.

    Raises StoppedError if `stop`, asked before each piece, says so.
    """
    picture = np.full((layout.height, layout.width, 3), GREY, np.uint8)
    enhanced = torch.from_numpy(mask)[None, None]
    known = np.ones((layout.rows, layout.columns), bool) if known is None else known
    for whole in pieces(layout, model.margin):
        piece = known_part(whole, known)
        if piece is None:
            continue
        check(stop)
        around = with_margin(piece, layout, model.margin)
        own = [[part.to(device) for part in layer] for layer in cut(layers, model.coding.shapes, around)]
        pixels = networks.synthesise(own, enhanced[:, :, *around.slices(model.side)].float().to(device))
        place = picture[piece.slices(BLOCK)]
        place[:] = to_photo(pixels[:, :, *piece.inside(around).slices(BLOCK)], *place.shape[:2])
    picture[~known.repeat(BLOCK, 0).repeat(BLOCK, 1)[: layout.height, : layout.width]] = GREY
    return picture
