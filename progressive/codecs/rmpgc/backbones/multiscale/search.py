"""A search for the latent of a photo that is worth most: steps of its coefficients to other bins, along gradients.

Each tile is searched by itself, with a block of its neighbours around it, so tiles share the processors, memory is
bounded, and what is found depends on neither. Planes are taken in turn, as one that is left out would suffer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import width_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import (
    Scales,
    cost_of,
    kept_near,
    reading_of,
    said_of,
)
from progressive.codecs.rmpgc.layout import Layout, Window
from progressive.runtime.threads import one_thread
from progressive.segments.pieces import padded, with_margin

ROUND = (4, 3, 2, 1)
"""Planes whose costs the steps of a round follow, one after the other: what the coarse ones choose at its end stays."""

ROUNDS = ((), (2,), (3, 2), (3, 2, 1), ROUND, 2 * ROUND, 3 * ROUND, 4 * ROUND, 6 * ROUND, 8 * ROUND)
"""The steps of each effort."""

REACH = 0.1
"""How far a step moves a coefficient at most, as a share of the plane's bins: one that does not come into another bin
stays where it was, as finer planes alone would see the move."""

Planes = tuple[int, ...]

AROUND = 1
"""Blocks around a tile that take part, but stay as they are."""


def searched(model: Model, latent: Scales, photo: Photo, layout: Layout, colours: Colours, planes: Planes) -> Scales:
    """The latent of a photo, all scales [1, C, h, w], after a step for each of these planes in every tile."""

    def of_tile(window: Window) -> Scales:
        with one_thread():  # in each thread of the pool, so that sums have one order
            return _searched_tile(model, latent, photo, layout, colours, window, planes)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tiles = list(pool.map(of_tile, layout.windows()))
    found = [torch.empty_like(y) for y in latent]
    for window, tile in zip(layout.windows(), tiles, strict=True):
        for whole, part, side in zip(found, tile, BLOCK_SIDES, strict=True):
            whole[:, :, *window.slices(side)] = part
    return found


def _searched_tile(
    model: Model, latent: Scales, photo: Photo, layout: Layout, colours: Colours, window: Window, planes: Planes
) -> Scales:
    around = with_margin(window, layout, AROUND)
    fixed = [y[:, :, *around.slices(side)].clone() for y, side in zip(latent, BLOCK_SIDES, strict=True)]
    places = [window.inside(around).slices(side) for side in BLOCK_SIDES]
    found = [y[:, :, *place].clone() for y, place in zip(fixed, places, strict=True)]
    wanted, reading = padded(photo, around), reading_of(fixed)
    said: list[Scales] = []
    for step, plane in enumerate(planes):
        moved = [y.requires_grad_(True) for y in found]
        values = [y.clone() for y in fixed]
        for value, place, y in zip(values, places, moved, strict=True):
            value[:, :, *place] = y
        if step % len(ROUND) == 0:  # what the networks say takes most of the time, and changes little in a round
            said = said_of(model.coding.networks, values, max(planes))
        cost = cost_of(said, values, plane, reading)
        linear = colours.restored(model.transform.synthesise(cost.values))
        states = torch.full((1, around.height, around.width), state_of(SCALES, TIERS * plane))
        error: Tensor = (model.synthesis(linear, states) - wanted).square().sum((1, 2, 3))
        gradients = torch.autograd.grad(cost.in_bits(error, plane).sum(), moved)
        with torch.no_grad():
            found = kept_near(moved, _after_a_step(moved, gradients, REACH * width_of(plane)), plane)
    return [y.detach() for y in found]


def _after_a_step(values: Scales, gradients: Sequence[Tensor], farthest: float) -> Scales:
    """Values against their gradients: as far as `farthest` where these are as large as usual or larger."""
    usual = torch.cat([g[g != 0] for g in gradients]).square().mean().sqrt()
    return [y - farthest * (g / usual).nan_to_num(0).clamp(-1, 1) for y, g in zip(values, gradients, strict=True)]
