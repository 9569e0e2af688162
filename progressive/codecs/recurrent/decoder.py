"""From segments, in any order, to codes, and on demand to a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from progressive.codec import DecoderStatus, Photo, Pushed
from progressive.codecs.recurrent.canvas import HALO, Canvas
from progressive.codecs.recurrent.layout import BITS, CELL, Layout, Window
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.networks import GREY, Networks, Received
from progressive.codecs.recurrent.segments import Contents, code_iteration, from_raw
from progressive.codecs.recurrent.tiers import Tier
from progressive.errors import BitstreamError
from progressive.exact.coders import Indices, RangeSymbolDecoder, Symbols
from progressive.runtime.stopping import Stop, check, never
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader

TiersOfTile = Callable[[int], list[Tier]]

KEPT_TILES = 24
"""Tiles whose memories stay from one picture to the next: up to 10 megabytes each."""


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
    shown: list[int] = field(default_factory=list)

    def take(self, tier: int, codes: Tensor) -> None:
        """One more iteration of a tier, its codes [B, h, w], zero elsewhere."""
        iteration = self.reached[tier]
        if iteration == len(self.codes):
            self.codes.append(torch.zeros(BITS, self.window.height, self.window.width, dtype=torch.int8))
        self.codes[iteration] = self.codes[iteration] + codes
        self.reached[tier] += 1
        self.kept = {after: known for after, known in self.kept.items() if after <= iteration}

    def decoded(self, networks: Networks, stop: Stop) -> Received:
        """What the networks make of the codes. Raises StoppedError if `stop`, asked before each iteration, says so.

        Memories are kept after the iterations that every cell has, and after the last, where the next ones go on.
        """
        device = next(networks.parameters()).device
        after = max(self.kept, default=0)
        known = self.kept.get(after) or networks.nothing(1, self.window.height, self.window.width)
        ends = min(self.reached), max(self.reached)
        for iteration in range(after, len(self.codes)):
            if iteration > after:
                check(stop)
            known = networks.receive(known, self.codes[iteration][None].to(device).float())
            if known.iterations in ends:
                self.kept[known.iterations] = known
        self.kept = {after: each for after, each in self.kept.items() if after in ends}
        return known


@dataclass(frozen=True)
class Arrived:
    """A segment that can be decoded, or waits until it can. Fields: its id; what it holds."""

    id: int
    contents: Contents


class Careful:
    """A range decoder that does not stop others: once it is damaged it reads zeros, and `finish` raises."""

    def __init__(self, decoder: RangeSymbolDecoder) -> None:
        self._decoder = decoder
        self._error: BitstreamError | None = None

    def code(self, table: str, rows: Indices, symbols: Symbols, blocks: Indices) -> Symbols:
        if self._error is None:
            try:
                return self._decoder.code(table, rows, symbols, blocks)
            except BitstreamError as error:
                self._error = error
        return np.zeros(len(rows), np.int32)

    def finish(self) -> None:
        """Raises BitstreamError if the bytes were not those of the symbols."""
        if self._error is not None:
            raise self._error
        self._decoder.finish()


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
        self._waiting: Waiting[Arrived] = Waiting()
        self._shown: set[int] = set()
        self._layer = -1

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def shown(self) -> Set[int]:
        return self._shown

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
        return DecoderStatus(complete, self._layer, len(self._shown), self._waiting.count, grey, coarse)

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        arrived = self._arrived(segment_id, payload)
        if arrived is None:
            return False
        decoded, errors = self._decode([arrived])
        if segment_id in errors:
            raise errors[segment_id]
        return decoded > 0

    @neutral()
    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        """Segments of one iteration of a tile are decoded together."""
        ready, damaged = list[Arrived](), 0
        for segment_id, payload in segments:
            try:
                arrived = self._arrived(segment_id, payload)
            except BitstreamError:
                damaged += 1
                continue
            if arrived is not None:
                ready.append(arrived)
        own = {arrived.id for arrived in ready}
        decoded, errors = self._decode(ready)
        return Pushed(decoded > 0, damaged + len(own & errors.keys()))

    @neutral()
    def picture(self, *, stop: Stop = never) -> Photo:
        photo = np.full((self._layout.height, self._layout.width, 3), 128, np.uint8)
        with torch.inference_mode():
            for number in sorted(self._tiles):
                check(stop)
                window = self._tiles[number].window
                self._update(window, stop)
                self._show(photo, window)
        return photo

    def _arrived(self, segment_id: int, payload: bytes) -> Arrived | None:
        """A segment that can be decoded now; None if it is not wanted, or waits.

        Raises BitstreamError if it cannot be one of this stream.
        """
        if not self._intake.wants(segment_id):
            return None
        contents = Contents.from_bytes(payload, self._layout.tiles)
        tiers = self._tiers_of(contents.tile)
        if contents.tier >= len(tiers):
            raise BitstreamError(f"a segment claims tier {contents.tier}, its tile has {len(tiers)}")
        reached = self._reached(contents)
        if contents.iteration < reached:
            raise BitstreamError("a segment repeats what another one has brought")
        self._intake.take(segment_id)
        arrived = Arrived(segment_id, contents)
        if contents.iteration == reached:
            return arrived
        self._waiting.put((contents.tile, contents.tier, contents.iteration), arrived)
        return None

    def _reached(self, contents: Contents) -> int:
        """Iterations of a segment's tier that are here."""
        tile = self._tiles.get(contents.tile)
        return tile.reached[contents.tier] if tile else 0

    def _decode(self, ready: list[Arrived]) -> tuple[int, dict[int, BitstreamError]]:
        """Decodes segments, what waited for them, and so on.

        Returns how many were decoded, and what is wrong with the others by id: they changed nothing, and a good copy of
        each is wanted again.
        """
        decoded, errors = 0, dict[int, BitstreamError]()
        while ready:
            together: dict[tuple[int, int], dict[int, Arrived]] = {}
            later: list[Arrived] = []
            for arrived in ready:
                contents = arrived.contents
                if contents.iteration < self._reached(contents):
                    errors[arrived.id] = BitstreamError("a segment repeats what another one has brought")
                elif contents.tier in (group := together.setdefault((contents.tile, contents.iteration), {})):
                    later.append(arrived)
                else:
                    group[contents.tier] = arrived
            for group in together.values():
                wrong = self._decode_together(list(group.values()))
                errors |= wrong
                decoded += len(group) - len(wrong)
                for contents in (arrived.contents for arrived in group.values() if arrived.id not in wrong):
                    following = (contents.tile, contents.tier, contents.iteration + 1)
                    later += [arrived for arrived, _ in self._waiting.take(following)]
            ready = later
        for segment_id in errors:
            self._intake.give_back(segment_id)
        return decoded, errors

    def _decode_together(self, group: list[Arrived]) -> dict[int, BitstreamError]:
        """Takes the codes of segments of one tile and iteration, a tier each; returns what is wrong with any by id."""
        number, iteration = group[0].contents.tile, group[0].contents.iteration
        tile = self._tiles.get(number)
        if tile is None:
            tiers = self._tiers_of(number)
            tile = Tile(self._layout.window(number), tiers, [0] * len(tiers))
        found: list[tuple[Arrived, Tensor]] = []
        errors: dict[int, BitstreamError] = {}
        coded: list[tuple[Arrived, Careful]] = []
        for arrived in group:
            try:
                if arrived.contents.raw:
                    cells = tile.tiers[arrived.contents.tier].cells
                    found.append((arrived, from_raw(arrived.contents.code, cells)))
                else:
                    decoder = RangeSymbolDecoder(self._model.tables, arrived.contents.code)
                    coded.append((arrived, Careful(decoder)))
            except BitstreamError as error:
                errors[arrived.id] = error
        if coded:
            coders, groups = [c for _, c in coded], [tile.tiers[a.contents.tier].cells for a, _ in coded]
            with torch.inference_mode():
                codes = code_iteration(coders, self._model.context, iteration, tile.codes[:iteration], groups)
            for (arrived, coder), own in zip(coded, codes, strict=True):
                try:
                    coder.finish()
                    found.append((arrived, own))
                except BitstreamError as error:
                    errors[arrived.id] = error
        for arrived, own in found:
            tile.take(arrived.contents.tier, own)
            self._tiles[number] = tile
            self._shown.add(arrived.id)
            self._layer = max(self._layer, iteration)
        return errors

    def _update(self, window: Window, stop: Stop) -> None:
        """Brings the tiles at a window and around it up to date."""
        around = self._layout.around(window, HALO)
        for number, tile in self._tiles.items():
            if tile.shown != tile.reached and tile.window.common(around):
                self._canvas.put(number, tile.decoded(self._networks, stop), tile.codes[0][0] != 0)
                tile.shown = list(tile.reached)
                self._remember(number)

    def _remember(self, newest: int) -> None:
        """Lets go of the memories of the tile that was decoded the longest time ago, if there are too many."""
        self._remembered.pop(newest, None)
        self._remembered[newest] = None
        if len(self._remembered) > KEPT_TILES:
            oldest = next(iter(self._remembered))
            del self._remembered[oldest]
            self._tiles[oldest].kept.clear()

    def _show(self, photo: Photo, window: Window) -> None:
        place = photo[window.slices(CELL)]
        pixels = self._canvas.pixels(window).permute(1, 2, 0).cpu().numpy()
        place[:] = np.clip(np.rint((pixels + GREY) * 255), 0, 255)[: place.shape[0], : place.shape[1]]
