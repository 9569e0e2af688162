"""From segments, in any order, to codes, and on demand to a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from progressive.codec import DecoderStatus, Photo, Pushed, pushed_one_by_one
from progressive.codecs.recurrent.canvas import HALO, Canvas
from progressive.codecs.recurrent.layout import BITS, CELL, Layout, Window
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.networks import GREY, Networks, Received
from progressive.codecs.recurrent.segments import Contents, code_iteration, from_raw
from progressive.codecs.recurrent.tiers import Tier
from progressive.errors import BitstreamError
from progressive.exact.coders import RangeSymbolDecoder
from progressive.runtime.stopping import Stop, check, never
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader

TiersOfTile = Callable[[int], list[Tier]]

KEPT_TILES = 24
"""Tiles whose memories stay from one picture to the next: about 10 megabytes each and iteration kept."""


@dataclass
class Tile:
    """What is known of a tile.

    Fields:
        window: its cells.
        tiers: sets of its cells.
        reached: iterations of each tier.
        codes: of each iteration, int8 [B, h, w]; zero at cells that have not reached it.
        kept: what a decoder knows after some iterations, by their number.
        shown: iterations that the canvas shows, of each tier.
    """

    window: Window
    tiers: list[Tier]
    reached: list[int]
    codes: list[Tensor] = field(default_factory=list)
    kept: dict[int, Received] = field(default_factory=dict)
    shown: tuple[int, ...] = ()

    def take(self, tier: int, codes: Tensor) -> None:
        """One more iteration of a tier, its codes [B, h, w], zero elsewhere."""
        iteration = self.reached[tier]
        if iteration == len(self.codes):
            self.codes.append(torch.zeros(BITS, self.window.height, self.window.width, dtype=torch.int8))
        self.codes[iteration] = self.codes[iteration] + codes
        self.reached[tier] += 1
        self.kept = {after: known for after, known in self.kept.items() if after <= iteration}

    def decoded(self, networks: Networks) -> Received:
        """What the networks make of the codes."""
        device = next(networks.parameters()).device
        after = max(self.kept, default=0)
        known = self.kept.get(after) or networks.nothing(1, self.window.height, self.window.width)
        stops = set(self.reached)
        for iteration in range(after, len(self.codes)):
            known = networks.receive(known, self.codes[iteration][None].to(device).float())
            if known.iterations in stops:
                self.kept[known.iterations] = known
        self.kept = {after: each for after, each in self.kept.items() if after in stops}
        self.shown = tuple(self.reached)
        return known


class RecurrentDecoder:
    """Keeps the codes of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ the tier's iteration before is here? ─ yes ─> codes ─> LSTM E-H ─> canvas ─> picture()
                              └─ no ─> waits for it
    """

    def __init__(
        self, header: StreamHeader, model: Model, networks: Networks, layout: Layout, tiers: TiersOfTile
    ) -> None:
        self._header, self._model, self._networks, self._layout = header, model, networks, layout
        self._tiers_of, self._tiles = tiers, dict[int, Tile]()
        self._canvas = Canvas(layout, networks)
        self._remembered: dict[int, None] = {}
        self._intake = Intake(header.segment_count)
        self._waiting: Waiting[Contents] = Waiting()
        self._decoded, self._layer = 0, -1

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def status(self) -> DecoderStatus:
        total = self._layout.rows * self._layout.columns
        begun = sum(tile.window.cells for tile in self._tiles.values())
        known = sum(
            tier.count
            for tile in self._tiles.values()
            for tier, reached in zip(tile.tiers, tile.reached, strict=True)
            if reached
        )
        complete = known == total
        grey, coarse = 1 - begun / total, (begun - known) / total
        return DecoderStatus(complete, self._layer, self._decoded, self._waiting.count, grey, coarse)

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        if not self._intake.wants(segment_id):
            return False
        contents = Contents.from_bytes(payload, self._layout.tiles)
        tile = self._tile(contents)
        if contents.iteration > tile.reached[contents.tier]:
            self._intake.take(segment_id)
            self._wait(contents)
            return False
        self._decode(contents, tile)
        self._intake.take(segment_id)
        self._retry(contents)
        return True

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    @neutral()
    def picture(self, *, stop: Stop = never) -> Photo:
        photo = np.full((self._layout.height, self._layout.width, 3), 128, np.uint8)
        with torch.inference_mode():
            for number in sorted(self._tiles):
                check(stop)
                window = self._tiles[number].window
                self._update(window)
                self._show(photo, window)
        return photo

    def _tile(self, contents: Contents) -> Tile:
        """Of a segment, begun or not; raises BitstreamError if it has no such tier."""
        tile = self._tiles.get(contents.tile)
        if tile is None:
            window, tiers = self._layout.window(contents.tile), self._tiers_of(contents.tile)
            tile = Tile(window, tiers, [0] * len(tiers))
        if contents.tier >= len(tile.tiers):
            raise BitstreamError(f"a segment claims tier {contents.tier}, its tile has {len(tile.tiers)}")
        return tile

    def _wait(self, contents: Contents) -> None:
        self._waiting.put((contents.tile, contents.tier, contents.iteration), contents)

    def _retry(self, decoded: Contents) -> None:
        """Decodes what waited for this, and so on; what proves damaged then is dropped."""
        iteration = decoded.iteration + 1
        while waiting := self._waiting.take((decoded.tile, decoded.tier, iteration)):
            moved = False
            for contents, _ in waiting:
                try:
                    self._decode(contents, self._tiles[contents.tile])
                    moved = True
                except BitstreamError:
                    continue
            if not moved:
                return
            iteration += 1

    def _decode(self, contents: Contents, tile: Tile) -> None:
        """Takes the codes of a segment; raises BitstreamError, with nothing changed, if it is damaged."""
        if contents.iteration < tile.reached[contents.tier]:
            raise BitstreamError("a segment repeats what another one has brought")
        cells = tile.tiers[contents.tier].cells
        if contents.raw:
            codes = from_raw(contents.code, cells)
        else:
            coder = RangeSymbolDecoder(self._model.tables, contents.code)
            before = tile.codes[: contents.iteration]
            with torch.inference_mode():
                codes = code_iteration([coder], self._model.context, contents.iteration, before, [cells])[0]
            coder.finish()
        tile.take(contents.tier, codes)
        self._tiles[contents.tile] = tile
        self._decoded += 1
        self._layer = max(self._layer, contents.iteration)

    def _update(self, window: Window) -> None:
        """Brings the tiles at a window and around it up to date."""
        around = self._layout.around(window, HALO)
        for number, tile in self._tiles.items():
            if tile.shown != tuple(tile.reached) and tile.window.common(around):
                self._canvas.put(number, tile.decoded(self._networks), tile.codes[0][0] != 0)
                self._forget(number)

    def _forget(self, last: int) -> None:
        """Keeps the memories of the tiles that were decoded last."""
        self._remembered.pop(last, None)
        self._remembered[last] = None
        if len(self._remembered) > KEPT_TILES:
            oldest = next(iter(self._remembered))
            del self._remembered[oldest]
            self._tiles[oldest].kept.clear()

    def _show(self, photo: Photo, window: Window) -> None:
        place = photo[window.slices(CELL)]
        pixels = self._canvas.pixels(window).permute(1, 2, 0).cpu().numpy()
        place[:] = np.clip(np.rint((pixels + GREY) * 255), 0, 255)[: place.shape[0], : place.shape[1]]
