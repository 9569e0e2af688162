"""From segments, in any order, to indices, and on demand to a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codec import DecoderStatus, Photo
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.layout import STAGES, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.renderer import Renderer
from progressive.codecs.rmpgc.segments import Contents
from progressive.codecs.rmpgc.tile import LevelResult, TileState
from progressive.entropy.coders import RangeSymbolDecoder
from progressive.errors import BitstreamError
from progressive.stopping import Stop, never
from progressive.stream import MAX_SEGMENTS, StreamHeader
from progressive.threads import one_thread
from progressive.torch_state import neutral
from progressive.waiting import Waiting


class RmpgcDecoder:
    """Keeps the indices of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all fragments, all it needs here? ─ yes ─> indices ─> picture()
                              └─ no ─> waits for its tile to move on
    """

    def __init__(
        self,
        header: StreamHeader,
        model: Model,
        networks: ProbabilityNetworks,
        renderer: Renderer,
        colours: Colours,
    ) -> None:
        self._header, self._model, self._networks, self._renderer = header, model, networks, renderer
        self._colours = colours
        self._layout = Layout(header.width, header.height)
        self._tiles: dict[int, TileState] = {}
        self._seen: set[int] = set()
        self._fragments: dict[Contents, dict[int, Contents]] = {}
        self._fragment_count = 0
        self._waiting: Waiting[Contents] = Waiting()
        self._decoded, self._layer = 0, -1
        self._picture: Photo | None = None

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def status(self) -> DecoderStatus:
        complete = len(self._tiles) == self._layout.tiles and all(t.base_complete for t in self._tiles.values())
        waiting = self._waiting.count + self._fragment_count
        return DecoderStatus(complete, self._layer, self._decoded, waiting, *self._gaps())

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        if not 1 <= segment_id <= MAX_SEGMENTS:
            raise BitstreamError(f"segment id {segment_id} is out of range")
        if segment_id in self._seen:
            return False
        if len(self._seen) >= self._header.segment_count:
            raise BitstreamError(f"the stream has only {self._header.segment_count} segments")
        piece = Contents.from_bytes(payload, self._layout)
        contents = self._assembled(piece)
        decoded = contents is not None and self._try(contents, piece.fragments)
        self._seen.add(segment_id)
        if contents is None:
            self._fragments.setdefault(piece.whole, {})[piece.fragment] = piece
            self._fragment_count += 1
            return False
        self._fragment_count -= len(self._fragments.pop(piece.whole, {}))
        if not decoded:
            self._wait(contents, piece.fragments)
            return False
        self._retry(contents)
        self._picture = None
        return True

    @neutral()
    def picture(self, *, stop: Stop = never) -> Photo:
        if self._picture is None:
            with torch.inference_mode():
                self._picture = self._renderer.picture(self._layout, self._tiles, self._colours, stop)
        return self._picture.copy()

    def _gaps(self) -> tuple[float, float]:
        """Shares of the photo's blocks in tiles of which no stage of the base is known, and not all stages are."""
        blocks = self._layout.rows * self._layout.columns
        known = [(tile.rows * tile.columns, tile.base_complete) for tile in self._tiles.values()]
        grey = blocks - sum(count for count, _ in known)
        return grey / blocks, sum(count for count, complete in known if not complete) / blocks

    def _assembled(self, piece: Contents) -> Contents | None:
        """The whole that a piece completes; None as long as fragments are missing."""
        if piece.fragments == 1:
            return piece
        others = self._fragments.get(piece.whole, {})
        first = next(iter(others.values()), piece)  # all of them agree
        if piece.fragment in others or first.fragments != piece.fragments:
            raise BitstreamError("a fragment contradicts another")
        if len(others) + 1 < piece.fragments:
            return None
        pieces = others | {piece.fragment: piece}
        code = b"".join(pieces[i].code for i in range(piece.fragments))
        return Contents(piece.tile, piece.step, piece.blocks, code)

    def _wait(self, contents: Contents, segments: int) -> None:
        """Until the tile's next stage, or until the first of its blocks that is behind has moved on."""
        tile = self._tiles.get(contents.tile)
        if tile is None or not tile.base_complete:
            self._waiting.put((contents.tile, None, min(contents.step, len(STAGES)) - 1), contents, segments)
        else:
            behind = next(block for block in contents.blocks if tile.levels[block] != contents.level - 1)
            self._waiting.put((contents.tile, behind, contents.level - 1), contents, segments)

    def _retry(self, decoded: Contents) -> None:
        """Decodes what waited for what has just been decoded, and so on; what proves damaged then is dropped."""
        moved = [decoded]
        while moved:
            one = moved.pop()
            for block in one.blocks or (None,):
                for contents, count in self._waiting.take((one.tile, block, one.level if one.blocks else one.step)):
                    try:
                        if self._try(contents, count):
                            moved.append(contents)
                        else:
                            self._wait(contents, count)
                    except BitstreamError:
                        continue

    def _try(self, contents: Contents, segments: int) -> bool:
        """Decodes what was in so many segments if all it needs is here.

        Raises BitstreamError, with nothing changed, if it is damaged.
        """
        window = self._layout.window(contents.tile)
        tile = self._tiles.get(contents.tile) or TileState(
            window.height, window.width, self._networks, self._model.tiers
        )
        if not _ready(contents, tile):
            return False
        coder = RangeSymbolDecoder(self._model.tables, contents.code)
        with torch.inference_mode(), one_thread():
            result: LevelResult | list[tuple[Tensor, Tensor]]
            if contents.level:
                result = tile.code_level(coder, contents.level, list(contents.blocks))
                coder.finish()
                tile.keep_level(result)
            else:
                result = tile.code_stage(coder)
                coder.finish()
                tile.keep_stage(result)
        self._tiles[contents.tile] = tile
        self._decoded += segments
        self._layer = max(self._layer, contents.layer)
        return True


def _ready(contents: Contents, tile: TileState) -> bool:
    """Whether the tile is where the contents begin; raises BitstreamError if it is already beyond."""
    if not contents.level:
        if tile.stages > contents.step:
            raise BitstreamError("a segment repeats a stage of the base")
        return tile.stages == contents.step
    if not tile.base_complete:
        return False
    levels = tile.levels[list(contents.blocks)]
    if (levels >= contents.level).any():
        raise BitstreamError("a segment repeats a level of a block")
    return bool((levels == contents.level - 1).all())
