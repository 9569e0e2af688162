"""From a photo to its codes, and from these to segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.recurrent.canvas import Canvas
from progressive.codecs.recurrent.layout import CELL, ITERATIONS, Layout
from progressive.codecs.recurrent.lstm import Memory
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.networks import GREY
from progressive.codecs.recurrent.segments import Contents, code_iteration, to_raw
from progressive.codecs.recurrent.tiers import STRENGTHS, Tier, place_in_order
from progressive.exact.coders import RangeSymbolEncoder
from progressive.segments.ordering import numbered
from progressive.stream import Segment

LEAST_UTILITY = 1e-3
"""In squared 8-bit steps: no iteration is worth nothing, or a sender would never send what follows it."""


@dataclass(frozen=True)
class CodedPhoto:
    """The codes of a photo, the same for every context.

    Fields:
        layout: its geometry.
        codes: of each tile and iteration, int8 [B, h, w].
        gains: squared error, in 8-bit steps, that each iteration removes from each cell, [ITERATIONS, rows, columns].
    """

    layout: Layout
    codes: list[list[Tensor]]
    gains: NDArray[np.float64]


@dataclass(eq=False)
class Draft:
    """A segment before it has an id. Fields: what it holds, its place in the order, what it removes, what it needs."""

    contents: Contents
    place: float
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def layer(self) -> int:
        return self.contents.iteration


@torch.inference_mode()
def code_photo(photo: Photo, model: Model) -> CodedPhoto:
    """All iterations of a photo [H, W, 3] (Wang et al. 2019, Eq. 4)."""
    layout = Layout(photo.shape[1], photo.shape[0])
    photos = _whole_cells(photo, layout)
    networks, canvas = model.networks, Canvas(layout, model.networks)
    windows = list(layout.windows())
    received = [networks.nothing(1, w.height, w.width) for w in windows]
    memories: list[tuple[Memory, ...]] = [() for _ in windows]
    pictures = [networks.picture(known) for known in received]
    codes: list[list[Tensor]] = [[] for _ in windows]
    errors = [_errors(photos, layout, pictures)]
    for _ in range(ITERATIONS):
        for tile, window in enumerate(windows):
            residual = photos[:, :, *window.slices(CELL)] - pictures[tile]
            code, memories[tile] = networks.binarised(residual, received[tile], memories[tile])
            received[tile] = networks.receive(received[tile], code)
            canvas.put(tile, received[tile])
            codes[tile].append(code[0].to(torch.int8))
        pictures = [canvas.pixels(window)[None] for window in windows]
        errors.append(_errors(photos, layout, pictures))
    return CodedPhoto(layout, codes, -np.diff(np.stack(errors), axis=0))


def drafts_of(coded: CodedPhoto, tiers: list[list[Tier]], model: Model, context: str) -> list[Draft]:
    """The segments of a photo whose tiles have these tiers."""
    return [draft for tile in range(coded.layout.tiles) for draft in _of_tile(coded, tile, tiers[tile], model, context)]


def ordered(drafts: list[Draft], layout: Layout) -> tuple[Segment, ...]:
    """Numbers drafts from 1: first iterations, those of the first tiers first, so that the first picture is whole; then
    as Algorithm 1 has it, and by utility per byte where it does not tell.
    """

    def rank(draft: Draft) -> tuple[float, ...]:
        if draft.layer == 0:
            return 0, draft.contents.tier
        return draft.place, -draft.utility / (1 + len(draft.contents.code))

    return numbered(drafts, rank, lambda draft, _, __: draft.contents.to_bytes(layout.tiles))


def _of_tile(coded: CodedPhoto, tile: int, tiers: list[Tier], model: Model, context: str) -> Iterator[Draft]:
    window, codes = coded.layout.window(tile), coded.codes[tile]
    gains = coded.gains[:, *window.slices()]
    groups = [tier.cells for tier in tiers]
    last: list[Draft] = []
    for iteration, truth in enumerate(codes):
        coders = [RangeSymbolEncoder(model.tables) for _ in tiers]
        with torch.inference_mode():
            code_iteration(coders, model.context, iteration, codes[:iteration], groups, truth)
        drafts = []
        for number, (tier, coder) in enumerate(zip(tiers, coders, strict=True)):
            code, raw = coder.to_bytes(), to_raw(truth, tier.cells)
            as_it_is = len(code) >= len(raw)
            contents = Contents(tile, number, iteration, as_it_is, raw if as_it_is else code)
            weight = tier.importance ** STRENGTHS[context]
            utility = max(float(gains[iteration][tier.cells].sum()) * weight, LEAST_UTILITY)
            needs = last[number : number + 1]
            drafts.append(Draft(contents, place_in_order(iteration, tier, context), utility, needs))
        yield from drafts
        last = drafts


def _whole_cells(photo: Photo, layout: Layout) -> Tensor:
    """RGB about zero, [1, 3, 16 rows, 16 columns]; beyond the photo its edge goes on."""
    rgb = torch.tensor(photo).permute(2, 0, 1)[None].float() / 255 - GREY
    down, right = layout.rows * CELL - layout.height, layout.columns * CELL - layout.width
    return F.pad(rgb, (0, right, 0, down), mode="replicate")


def _errors(photos: Tensor, layout: Layout, pictures: list[Tensor]) -> NDArray[np.float64]:
    """Squared error of each cell in 8-bit steps, [rows, columns]."""
    found = np.zeros((layout.rows, layout.columns))
    for window, picture in zip(layout.windows(), pictures, strict=True):
        squared = (photos[:, :, *window.slices(CELL)] - picture.clamp(-GREY, GREY)).square().sum(1, keepdim=True)
        sums = F.avg_pool2d(squared, CELL)[0, 0] * (CELL**2 * 255**2)
        found[window.slices()] = sums.double().numpy()
    return found
