"""From segments, in any order, to latents, and on demand to a picture."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Set

from progressive.codec import DecoderStatus, Photo, Pushed, pushed_one_by_one
from progressive.codecs.dual_autoencoder.layout import Layout
from progressive.codecs.dual_autoencoder.model import Model
from progressive.codecs.dual_autoencoder.segments import (
    COARSE,
    FINE,
    FIRST_PLANE,
    Contents,
    blocks_of,
    code_base,
    code_enhance,
)
from progressive.codecs.dual_autoencoder.state import Component, empty_state, tile_of
from progressive.codecs.dual_autoencoder.synthesis import Synthesis, grey_picture
from progressive.errors import BitstreamError
from progressive.exact.coders import RangeSymbolDecoder
from progressive.runtime.stopping import Stop, never
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader


class DualAutoencoderDecoder:
    """Keeps the latents of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all it needs is here? ─ yes ─> latents ─> picture()
                              └─ no ─> waits for its tile to move on
    """

    def __init__(self, header: StreamHeader, model: Model, synthesis: Synthesis) -> None:
        self._header, self._model, self._synthesis = header, model, synthesis
        self._layout = Layout.from_header(header)
        self._state: list[Component] | None = None
        self._intake = Intake(header.segment_count)
        self._waiting: Waiting[tuple[int, Contents]] = Waiting()
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
        complete = self._state is not None and all(bool(c.known.all()) for c in self._state)
        return DecoderStatus(complete, self._layer, len(self._shown), self._waiting.count, *self._gaps())

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        if not self._intake.wants(segment_id):
            return False
        contents = Contents.from_bytes(payload, self._layout)
        decoded = self._try(segment_id, contents)
        self._intake.take(segment_id)
        if not decoded:
            self._wait(segment_id, contents)
            return False
        self._retry(contents)
        return True

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    def _gaps(self) -> tuple[float, float]:
        """Shares of the luma blocks in tiles of which nothing is known, and of those interpolated elsewhere."""
        if self._state is None:
            return 1.0, 0.0
        known, side = self._state[0].known, self._layout.tile
        begun = known[::side, ::side].repeat(side, 0).repeat(side, 1)[: known.shape[0], : known.shape[1]]
        return 1 - float(begun.mean()), float((begun & ~known).mean())

    @neutral()
    def picture(self, *, stop: Stop = never) -> Photo:
        if self._state is None or not self._shown:
            return grey_picture(self._layout)
        return self._synthesis.picture(self._state, self._layout, stop)

    def _wait(self, segment_id: int, contents: Contents) -> None:
        """Until the tile's coarse base, or all of its base, or the first of its regions that is behind, is there."""
        assert self._state is not None
        luma = tile_of(self._state, self._layout.window(contents.tile))[0]
        key: Hashable
        if not luma.known[0, 0]:
            key = contents.tile, COARSE
        elif not luma.known.all():
            key = contents.tile, FINE
        else:
            assert contents.regions is not None
            side, columns = self._layout.region, contents.regions.shape[1]
            places = ((region, divmod(region, columns)) for region in contents.named())
            plane = contents.stage - FIRST_PLANE
            behind = next(r for r, (down, across) in places if luma.level[down * side, across * side] != plane)
            key = contents.tile, behind, contents.stage - 1
        self._waiting.put(key, (segment_id, contents))

    def _moved_on(self, contents: Contents) -> list[Hashable]:
        """What may have waited for this."""
        if contents.regions is not None:
            return [(contents.tile, region, contents.stage) for region in contents.named()]
        assert self._state is not None
        whole = tile_of(self._state, self._layout.window(contents.tile))[0].known.all()
        coarse: list[Hashable] = [(contents.tile, COARSE)] if contents.stage == COARSE else []
        return [*coarse, (contents.tile, FINE)] if whole else coarse

    def _retry(self, decoded: Contents) -> None:
        """Decodes what waited for this, and so on; of what proves damaged a good copy may come."""
        moved = [decoded]
        while moved:
            for key in self._moved_on(moved.pop()):
                for (segment_id, contents), _ in self._waiting.take(key):
                    try:
                        if self._try(segment_id, contents):
                            moved.append(contents)
                        else:
                            self._wait(segment_id, contents)
                    except BitstreamError:
                        self._intake.give_back(segment_id)

    def _try(self, segment_id: int, contents: Contents) -> bool:
        """Decodes a segment if all it needs is here; raises BitstreamError, with nothing changed, if it is damaged."""
        if self._state is None:
            self._state = empty_state(self._layout)
        tile = tile_of(self._state, self._layout.window(contents.tile))
        if not self._ready(contents, tile):
            return False
        work = copy.deepcopy(tile)
        coder = RangeSymbolDecoder(self._model.tables, contents.code)
        if contents.regions is None:
            code_base(coder, contents, work, [c.base for c in work])
        else:
            plane = contents.stage - FIRST_PLANE
            code_enhance(coder, self._model, plane, contents.regions, self._layout, work, None)
        coder.finish()
        for component, result in zip(tile, work, strict=True):
            component.assign(result)
        self._shown.add(segment_id)
        self._layer = max(self._layer, contents.layer)
        return True

    def _ready(self, contents: Contents, tile: list[Component]) -> bool:
        luma = tile[0]
        if contents.stage == COARSE:
            already = luma.known[0, 0]
        elif contents.stage == FINE:
            first, rows = contents.band
            already = luma.known[first : first + rows, 1::2].any()
        else:
            assert contents.regions is not None
            level = luma.level[blocks_of(contents.regions, self._layout, luma, chroma=False)]
            plane = contents.stage - FIRST_PLANE
            already = (level > plane).any()
            if not already:
                return bool(luma.known.all() and (level == plane).all())
        if already:
            raise BitstreamError("a segment repeats what another one has brought")
        return contents.stage == COARSE or bool(luma.known[0, 0])
