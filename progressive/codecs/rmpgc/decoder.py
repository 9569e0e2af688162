"""From segments, in any order, to indices, and on demand to a picture."""

from __future__ import annotations

import torch

from progressive.codec import DecoderStatus, Photo
from progressive.codecs.rmpgc.assembly import Fragments, Waiting, Whole
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.layout import Layout
from progressive.codecs.rmpgc.model import Coding
from progressive.codecs.rmpgc.renderer import Renderer
from progressive.codecs.rmpgc.segments import BASE, Contents, Listed, layer_of, named, next_level
from progressive.codecs.rmpgc.tile import TileState
from progressive.entropy.coders import RangeSymbolDecoder
from progressive.errors import BitstreamError
from progressive.stream import MAX_SEGMENTS, StreamHeader
from progressive.threads import one_thread


class RmpgcDecoder:
    """Keeps the indices of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all fragments, what it refers to? ─ yes ─> indices ─> picture()
                              └─ no ─> waits for it
    """

    def __init__(self, header: StreamHeader, coding: Coding, renderer: Renderer, colours: Colours) -> None:
        self._header, self._coding, self._renderer = header, coding, renderer
        self._colours = colours
        self._layout = Layout(header.width, header.height)
        self._tiles: dict[int, TileState] = {}
        self._seen: set[int] = set()
        self._listed: dict[int, Listed] = {}
        self._fragments, self._waiting = Fragments(), Waiting()
        self._decoded, self._layer = 0, -1
        self._picture: Photo | None = None

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def status(self) -> DecoderStatus:
        complete = len(self._tiles) == self._layout.tiles and all(t.base_complete for t in self._tiles.values())
        waiting = self._fragments.count + self._waiting.count
        return DecoderStatus(complete, self._layer, self._decoded, waiting, *self._gaps())

    def push(self, segment_id: int, payload: bytes) -> bool:
        if not 1 <= segment_id <= MAX_SEGMENTS:
            raise BitstreamError(f"segment id {segment_id} is out of range")
        if segment_id in self._seen:
            return False
        if len(self._seen) >= self._header.segment_count:
            raise BitstreamError(f"the stream has only {self._header.segment_count} segments")
        piece = Contents.from_bytes(payload, segment_id, self._layout)
        whole = self._fragments.joined(segment_id, piece)
        decoded = whole is not None and self._try(whole)
        self._seen.add(segment_id)
        if whole is None:
            return False
        self._fragments.forget(whole)
        if not decoded:
            return False
        self._decode_what_waited(whole)
        self._picture = None
        return True

    def picture(self) -> Photo:
        if self._picture is None:
            with torch.inference_mode():
                self._picture = self._renderer.picture(self._layout, self._tiles, self._colours)
        return self._picture.copy()

    def _gaps(self) -> tuple[float, float]:
        """Shares of the photo's blocks in tiles of which no scale of the base is known, and not all scales are."""
        blocks = self._layout.rows * self._layout.columns
        known = [(tile.rows * tile.columns, tile.base_complete) for tile in self._tiles.values()]
        grey = blocks - sum(count for count, _ in known)
        return grey / blocks, sum(count for count, complete in known if not complete) / blocks

    def _decode_what_waited(self, whole: Whole) -> None:
        """Decodes what waited for a segment, and so on; what proves damaged then is dropped."""
        decoded = [whole]
        while decoded:
            last = decoded.pop()
            needs: list[int | tuple[int, int]] = list(last.ids)
            if last.contents.form == BASE:
                needs.append((last.contents.tile, last.contents.scales[1] + 1))
            for waiting in (w for need in needs for w in self._waiting.released(need)):
                try:
                    if self._try(waiting):
                        decoded.append(waiting)
                except BitstreamError:
                    continue

    def _try(self, whole: Whole) -> bool:
        """Decodes a segment if all it needs is here, or else keeps it until then.

        Raises BitstreamError, with nothing changed, if it is damaged.
        """
        contents = whole.contents
        if contents.form == BASE:
            listed = self._decode_base(contents)
            need: int | tuple[int, int] = contents.tile, contents.scales[0]
        else:
            need = contents.reference
            listed = self._decode_level(contents, self._listed[need]) if need in self._listed else None
        if listed is None:
            self._waiting.add(need, whole)
            return False
        self._listed |= dict.fromkeys(whole.ids, listed)
        self._decoded += len(whole.ids)
        self._layer = max(self._layer, layer_of(listed.level))
        return True

    def _decode_base(self, contents: Contents) -> Listed | None:
        """None if scales before these are missing."""
        first, last = contents.scales
        window = self._layout.window(contents.tile)
        tile = self._tiles.get(contents.tile) or TileState(window.height, window.width, self._coding)
        if tile.scales > first:
            raise BitstreamError("a segment repeats a scale of the base")
        if tile.scales < first:
            return None
        coder = RangeSymbolDecoder(self._coding.tables, contents.body)
        with torch.inference_mode(), one_thread():
            result = tile.code_stages(coder, last - first + 1)
            coder.finish()
            tile.keep_stages(result)
        self._tiles[contents.tile] = tile
        return Listed(contents.tile, 0, tile.by_activity() if tile.base_complete else ())

    def _decode_level(self, contents: Contents, of: Listed) -> Listed:
        tile, level = self._tiles[of.tile], next_level(of)
        blocks, code = named(contents.form, contents.body, of.blocks)
        if (tile.levels[list(blocks)] != of.level).any():
            raise BitstreamError("a segment repeats a level of a block")
        coder = RangeSymbolDecoder(self._coding.tables, code)
        with torch.inference_mode(), one_thread():
            result = tile.code_level(coder, level, list(blocks))
            coder.finish()
            tile.keep_level(result)
        return Listed(of.tile, level, blocks)
