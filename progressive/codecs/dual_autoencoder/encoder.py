"""From latents to segments in order of utility per byte."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder import lattice
from progressive.codecs.dual_autoencoder.layout import BASE_STEP, PLANES, Layout
from progressive.codecs.dual_autoencoder.model import Model, kind_of
from progressive.codecs.dual_autoencoder.segments import (
    BAND_ROWS,
    COARSE,
    FINE,
    FIRST_PLANE,
    Contents,
    RegionSet,
    bands,
    code_base,
    code_enhance,
    code_enhance_component,
)
from progressive.codecs.dual_autoencoder.state import Component, Target, empty_state, tile_of
from progressive.exact.coders import CostMeter, RangeSymbolEncoder
from progressive.segments.ordering import numbered
from progressive.stream import Segment


class TooLargeError(Exception):
    """Some piece does not fit the payload at this layout: try smaller regions."""


@dataclass(eq=False)
class Draft:
    """A segment before it has an id."""

    contents: Contents
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def layer(self) -> int:
        return self.contents.layer

    @property
    def density(self) -> float:
        return self.utility / len(self.contents.to_bytes())


def encode_tile(number: int, layout: Layout, model: Model, targets: list[Target], max_payload: int) -> list[Draft]:
    """All segments of a tile, dependencies first; raises TooLargeError."""
    return _TileEncoder(number, layout, model, targets, max_payload).encode()


def ordered(drafts: Sequence[Draft]) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: the coarse base of every tile, so that the first picture is whole; the rest of the
    base; then always the best utility per byte whose needs are met.
    """

    def payload(draft: Draft, _: int, __: tuple[int, ...]) -> bytes:
        return draft.contents.to_bytes()

    return numbered(drafts, lambda d: (min(d.contents.stage, FIRST_PLANE), -d.density), payload)


class _TileEncoder:
    def __init__(self, number: int, layout: Layout, model: Model, targets: list[Target], max_payload: int) -> None:
        self._number, self._layout, self._model, self._max_payload = number, layout, model, max_payload
        self._window = layout.window(number)
        self._targets = [t.view(*self._window.slices(chroma=i > 0)) for i, t in enumerate(targets)]
        self._truth = [t.base_bins() for t in self._targets]
        self._state = tile_of(empty_state(self._tile_layout()), self._tile_layout().window(0))

    def _tile_layout(self) -> Layout:
        return Layout(self._window.width * 8, self._window.height * 8, self._layout.components, self._layout.region)

    def encode(self) -> list[Draft]:
        base = self._encode_base()
        holder: dict[int, Draft] = {}
        drafts = list(base)
        for plane in range(PLANES):
            groups = self._encode_plane(plane, [drafts.index(d) for _, d in sorted(holder.items())])
            for draft in groups:
                draft.needs = [
                    *base,
                    *{id(holder[r]): holder[r] for r in draft.contents.named() if r in holder}.values(),
                ]
            for draft in groups:
                holder |= dict.fromkeys(draft.contents.named(), draft)
            drafts += groups
        return drafts

    def _encode_base(self) -> list[Draft]:
        for component in self._state:
            component.base[:], component.known[:] = 0, False
        grey = self._base_distortion()
        coarse = self._base_draft(Contents(self._number, COARSE))
        after_coarse = self._base_distortion()
        coarse.utility = max(grey - after_coarse, 0.0)
        snapshot = copy.deepcopy(self._state)
        rows = self._window.height + -self._window.height % BAND_ROWS
        while True:
            self._state = copy.deepcopy(snapshot)
            try:
                cuts = bands(self._window.height, rows)
                fine = [self._base_draft(Contents(self._number, FINE, band)) for band in cuts]
                break
            except TooLargeError:
                if rows == BAND_ROWS:
                    raise
                rows = max(BAND_ROWS, rows // 2 // BAND_ROWS * BAND_ROWS)
        gain = max(after_coarse - self._base_distortion(), 0.0)
        for draft in fine:
            draft.utility = gain * draft.contents.band[1] / self._window.height
            draft.needs = [coarse]
        return [coarse, *fine]

    def _base_draft(self, contents: Contents) -> Draft:
        coder = RangeSymbolEncoder(self._model.tables)
        code_base(coder, contents, self._state, self._truth)
        return Draft(self._fitting(Contents(contents.tile, contents.stage, contents.band, code=coder.to_bytes())), 0.0)

    def _base_distortion(self) -> float:
        """Squared error of G1's outputs, with the missing ones interpolated."""
        total = 0.0
        for component, target in zip(self._state, self._targets, strict=True):
            base = component.base.copy()
            lattice.interpolate(base, component.known)
            total += float((((base + 0.5) * BASE_STEP - target.calm) ** 2).sum())
        return total

    def _encode_plane(self, plane: int, holders: list[int]) -> list[Draft]:
        """The plane of every region in as few segments as hold them.

        Regions whose plane before travels in one segment stay together, so that a segment needs one or two others, not
        all of them, and a lost packet stops little; among themselves those with the best slope come first.

        Args:
            holders: rank of the segment that holds the plane before, by region; empty for the first plane.
        """
        bits, gain = self._measure(plane)
        slope = (gain / np.maximum(bits, 1)).ravel()
        ranking = np.lexsort((-slope, np.array(holders))) if holders else np.argsort(-slope, kind="stable")
        drafts: list[Draft] = []
        while len(ranking):
            count = self._guess(bits.ravel()[ranking])
            while True:
                regions = np.zeros(bits.size, bool)
                regions[ranking[:count]] = True
                draft = self._try_plane(plane, regions.reshape(bits.shape))
                if draft is not None:
                    break
                if count == 1:
                    raise TooLargeError
                count = max(1, int(count * 0.9))
            draft.utility = float(gain.ravel()[ranking[:count]].sum())
            drafts.append(draft)
            ranking = ranking[count:]
        return drafts

    def _guess(self, bits: NDArray[np.float64]) -> int:
        """How many of these regions are likely to fit; the rest is shared out evenly, so that no segment is tiny."""
        room = 8 * (self._max_payload - 16) * 0.97
        segments = max(1, int(np.ceil(bits.sum() / room)))
        return max(1, int(np.searchsorted(np.cumsum(bits), bits.sum() / segments)) + (segments == 1))

    def _try_plane(self, plane: int, regions: RegionSet) -> Draft | None:
        """Codes the plane of these regions; None, with the state untouched, if it does not fit."""
        before = copy.deepcopy(self._state)
        coder = RangeSymbolEncoder(self._model.tables)
        code_enhance(coder, self._model, plane, regions, self._layout, self._state, self._targets)
        contents = Contents(self._number, FIRST_PLANE + plane, regions=regions, code=coder.to_bytes())
        if len(contents.to_bytes()) > self._max_payload:
            self._state = before
            return None
        return Draft(contents, 0.0)

    def _measure(self, plane: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bits that the plane of each region costs and distortion that it removes, [rows, columns] of regions."""
        shape = self._layout.regions(self._window)
        bits, gain = np.zeros(shape), np.zeros(shape)
        state = copy.deepcopy(self._state)
        before = [self._distortion(i, c) for i, c in enumerate(state)]
        meters = [CostMeter(self._model.tables, c.base.size) for c in state]
        for index, (component, meter) in enumerate(zip(state, meters, strict=True)):
            code_enhance_component(
                meter, self._model, plane, np.ones(shape, bool), self._layout, component, self._targets[index], index
            )
            removed = before[index] - self._distortion(index, component)
            side = self._layout.region // (2 if index else 1)
            bits += _sum_by_region(meter.bits.reshape(component.base.shape), side, shape)
            gain += _sum_by_region(removed, side, shape)
        return bits, gain

    def _distortion(self, index: int, component: Component) -> NDArray[np.float32]:
        """Squared error of a component's latents, by block."""
        target = self._targets[index]
        error = (component.calm_values() - target.calm) ** 2
        outputs = component.detail_values(self._model.autoencoders[kind_of(index)])
        total: NDArray[np.float32] = error + ((outputs - target.detail) ** 2).sum(-1)
        return total

    def _fitting(self, contents: Contents) -> Contents:
        if len(contents.to_bytes()) > self._max_payload:
            raise TooLargeError
        return contents


def _sum_by_region(values: NDArray[np.floating], side: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    height, width = values.shape
    padded = np.pad(values, ((0, shape[0] * side - height), (0, shape[1] * side - width)))
    total: NDArray[np.float64] = padded.reshape(shape[0], side, shape[1], side).sum((1, 3), dtype=np.float64)
    return total
