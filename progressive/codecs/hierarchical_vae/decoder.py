"""From segments, in any order, to latents, and on demand to a picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

import numpy as np
import torch

from progressive.codec import DecoderStatus, Photo, Pushed, pushed_one_by_one
from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.latents import BASE_LATENTS, ROOT, layer_of
from progressive.codecs.hierarchical_vae.renderer import Renderer
from progressive.codecs.hierarchical_vae.segments import Contents
from progressive.codecs.hierarchical_vae.tile import Coding, TileState
from progressive.errors import BitstreamError
from progressive.runtime.stopping import Stop, never
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.waiting import Waiting
from progressive.stream import StreamHeader


class HierarchicalVaeDecoder:
    """Keeps the latents of one photo; see `progressive.codec.ProgressiveDecoder`.

    push ─> Contents ─ all coarser latents of its blocks? ─ yes ─> latents ─> picture()
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
        parameters = Parameters.from_bytes(header.parameters)
        self._layout = parameters.layout(header)
        self._gammas = parameters.gammas(self._layout)
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
        coarse = sum(int(np.count_nonzero(tile.levels < BASE_LATENTS)) for tile in self._tiles.values())
        complete = known == blocks and not coarse
        grey = (blocks - known) / blocks
        return DecoderStatus(complete, self._layer, len(self._shown), self._waiting.count, grey, coarse / blocks)

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
                self._picture = self._renderer.picture(self._layout, self._gammas, self._tiles, stop)
        return self._picture.copy()

    def _try(self, segment_id: int, contents: Contents) -> bool:
        """Decodes a segment if all it needs is here, or else keeps it until then.

        Raises BitstreamError, with nothing changed, if it is damaged.
        """
        tile = self._tiles.get(contents.tile)
        if contents.latent == ROOT:
            if tile is not None:
                raise BitstreamError("a segment repeats the first latent of its tile")
            tile = TileState(self._layout.window(contents.tile), self._gammas, self._coding)
            blocks = list(range(tile.blocks))
        elif tile is None:
            self._waiting.put((contents.tile, ROOT), (segment_id, contents))
            return False
        else:
            blocks = self._blocks(contents, tile)
            levels = tile.levels[blocks]
            if (levels > contents.latent).any():
                raise BitstreamError("a segment repeats a latent of its blocks")
            if (levels < contents.latent).any():
                behind = blocks[int(np.argmax(levels < contents.latent))]
                self._waiting.put((contents.tile, behind, contents.latent - 1), (segment_id, contents))
                return False
        coder = tile.decoder_of(contents.code)
        found = tile.code(coder, contents.latent, blocks)
        coder.finish()
        tile.keep(found)
        self._tiles[contents.tile] = tile
        self._shown.add(segment_id)
        self._layer = max(self._layer, layer_of(contents.latent))
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
        if contents.latent == ROOT:
            return [(contents.tile, ROOT), *((contents.tile, block, ROOT) for block in range(tile.blocks))]
        return [(contents.tile, block, contents.latent) for block in self._blocks(contents, tile)]
