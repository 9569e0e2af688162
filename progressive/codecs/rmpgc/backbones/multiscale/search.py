"""A search for the latent of a photo that is worth most: gradient steps on its coefficients, the networks as they are.

Each tile is searched by itself, with a block of its neighbours around it, so tiles share the processors, memory is
bounded, and what is found depends on neither. Planes are taken in turn, as one that is left out would suffer.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import Scales, cost_of, reading_of
from progressive.codecs.rmpgc.layout import Layout, Window
from progressive.segments.pieces import padded, with_margin

STEPS = (0, 1, 2, 3, 5, 8, 12, 20, 32, 48)
"""Gradient steps of each effort."""

TURNS = (2, 1, 3, 4)
"""Planes whose costs the steps follow, one after the other."""

STEP_SIZE = 0.02
"""Of Adam, in coefficients of a photo in 0..1."""

AROUND = 1
"""Blocks around a tile that take part, but stay as they are."""


def searched(model: Model, latent: Scales, photo: Photo, layout: Layout, colours: Colours, steps: int) -> Scales:
    """The latent of a photo, all scales [1, C, h, w], after so many steps in every tile."""

    def of_tile(window: Window) -> Scales:
        return _searched_tile(model, latent, photo, layout, colours, window, steps)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tiles = list(pool.map(of_tile, layout.windows()))
    found = [torch.empty_like(y) for y in latent]
    for window, tile in zip(layout.windows(), tiles, strict=True):
        for whole, part, side in zip(found, tile, BLOCK_SIDES, strict=True):
            whole[:, :, *window.slices(side)] = part
    return found


def _searched_tile(
    model: Model, latent: Scales, photo: Photo, layout: Layout, colours: Colours, window: Window, steps: int
) -> Scales:
    around = with_margin(window, layout, AROUND)
    fixed = [y[:, :, *around.slices(side)].clone() for y, side in zip(latent, BLOCK_SIDES, strict=True)]
    places = [window.inside(around).slices(side) for side in BLOCK_SIDES]
    moved = [y[:, :, *place].clone().requires_grad_(True) for y, place in zip(fixed, places, strict=True)]
    wanted, reading = padded(photo, around), reading_of(fixed)
    optimiser = torch.optim.Adam(moved, STEP_SIZE)
    for step in range(steps):
        plane = TURNS[step % len(TURNS)]
        values = [y.clone() for y in fixed]
        for value, place, y in zip(values, places, moved, strict=True):
            value[:, :, *place] = y
        cost = cost_of(model.coding.networks, values, plane, reading)
        linear = colours.restored(model.transform.synthesise(cost.values))
        states = torch.full((1, around.height, around.width), state_of(SCALES, TIERS * plane))
        error: Tensor = (model.synthesis(linear, states) - wanted).square().sum((1, 2, 3))
        optimiser.zero_grad()
        cost.traded(error, plane).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return [y.detach() for y in moved]
