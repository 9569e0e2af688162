"""From segments, in any order, to label map and latent, and on demand to a picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import DecoderStatus, Photo, Pushed, pushed_one_by_one
from progressive.codecs.label_guided.classes import BLANK
from progressive.codecs.label_guided.groups import ROOT
from progressive.codecs.label_guided.header import Parameters
from progressive.codecs.label_guided.layout import CELL, SIDE
from progressive.codecs.label_guided.renderer import Renderer
from progressive.codecs.label_guided.segments import Contents
from progressive.codecs.label_guided.tile import Coding, Found, TileState
from progressive.errors import BitstreamError
from progressive.runtime.stopping import Stop, never
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader


class LabelGuidedDecoder:
    """Keeps label map and latent of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all earlier groups of its blocks? ─ yes ─> labels, latent ─> picture()
                              └─ no ─> waits for the one before its own
    """

    def __init__(self, header: StreamHeader, coding: Coding, renderer: Renderer) -> None:
        """
        Args:
            header: of the stream; raises BitstreamError if its parameters are none of this codec's.
            coding: what decides the latents, on the device to decode on.
            renderer: what makes pictures of them.
        """
        self._header, self._coding, self._renderer = header, coding, renderer
        self._parameters = Parameters.from_bytes(header.parameters)
        self._layout = self._parameters.layout(header)
        self._tiles: dict[int, TileState] = {}
        self._intake = Intake(header.segment_count)
        self._waiting: Waiting[tuple[int, Contents]] = Waiting()
        self._shown: set[int] = set()
        self._layer = -1
        self._picture: Photo | None = None

    @property
    def header(self) -> StreamHeader:
        return self._header

    @property
    def shown(self) -> Set[int]:
        return self._shown

    @property
    def status(self) -> DecoderStatus:
        blocks = self._layout.whole.blocks
        known = sum(tile.blocks for tile in self._tiles.values())
        grey = (blocks - known) / blocks
        return DecoderStatus(known == blocks, self._layer, len(self._shown), self._waiting.count, grey, 0.0)

    @property
    def labels(self) -> NDArray[np.int8]:
        """The class of each cell of 16 pixels, or -1 where nothing is said, [ceil(H / 16), ceil(W / 16)]."""
        layout = self._layout
        found = np.full((layout.rows * SIDE, layout.columns * SIDE), BLANK, np.int8)
        for number, tile in self._tiles.items():
            found[layout.window(number).slices(SIDE)] = tile.labels.cpu().numpy()
        return found[: -(-layout.height // CELL), : -(-layout.width // CELL)]

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        if not self._intake.wants(segment_id):
            return False
        contents = Contents.from_bytes(payload, self._layout)
        with torch.inference_mode(), one_thread():
            decoded = self._try(segment_id, contents)
            self._intake.take(segment_id)
            if decoded:
                self._retry(contents)
        return decoded

    @neutral()
    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    @neutral()
    def picture(self, *, stop: Stop = never) -> Photo:
        if self._picture is None:
            with torch.inference_mode(), one_thread():
                self._picture = self._renderer.picture(self._layout, self._parameters.level, self._tiles, stop)
        return self._picture.copy()

    def _try(self, segment_id: int, contents: Contents) -> bool:
        """Decodes a segment if all it needs is here, or else keeps it until then.

        Raises BitstreamError, with nothing changed, if it is damaged.
        """
        tile = self._tiles.get(contents.tile)
        if contents.group == ROOT:
            if tile is not None:
                raise BitstreamError("a segment repeats the first group of its tile")
            window, parameters = self._layout.window(contents.tile), self._parameters
            tile = TileState(self._layout, window, parameters.level, parameters.blank, self._coding)
            blocks = list(range(tile.blocks))
        elif tile is None:
            self._waiting.put((contents.tile, ROOT), (segment_id, contents))
            return False
        else:
            blocks = self._blocks(contents, tile)
            levels = tile.levels[blocks]
            if (levels > contents.group).any():
                raise BitstreamError("a segment repeats a group of its blocks")
            if (levels < contents.group).any():
                behind = blocks[int(np.argmax(levels < contents.group))]
                self._waiting.put((contents.tile, behind, contents.group - 1), (segment_id, contents))
                return False
        coder = tile.decoder_of(contents.code)
        found: list[Found] = []
        for group in contents.groups:
            found.append(tile.code(coder, group, blocks, before=found[-1] if found else None))
        coder.finish()
        for each in found:
            tile.keep(each)
        self._tiles[contents.tile] = tile
        self._shown.add(segment_id)
        self._layer = max(self._layer, contents.groups[-1])
        self._picture = None
        return True

    def _blocks(self, contents: Contents, tile: TileState) -> list[int]:
        """The blocks of a segment, rising."""
        return sorted(tile.order[contents.first : contents.first + contents.count])

    def _retry(self, decoded: Contents) -> None:
        """Decodes what waited for this, and so on; of what proves damaged a good copy may come."""
        moved = [decoded]
        while moved:
            for key in self._moved_on(moved.pop()):
                for (segment_id, contents), _ in self._waiting.take(key):
                    try:
                        if self._try(segment_id, contents):
                            moved.append(contents)
                    except BitstreamError:
                        self._intake.give_back(segment_id)

    def _moved_on(self, contents: Contents) -> list[Hashable]:
        """What may have waited for this."""
        tile = self._tiles[contents.tile]
        if contents.group == ROOT:
            return [(contents.tile, ROOT), *((contents.tile, block, ROOT) for block in range(tile.blocks))]
        blocks = self._blocks(contents, tile)
        return [(contents.tile, block, group) for group in contents.groups for block in blocks]
