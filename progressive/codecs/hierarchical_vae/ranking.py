"""What to send first: blocks into segments, these into an order, by squared error removed a byte times importance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.hierarchical_vae.encoder import CodedTile
from progressive.codecs.hierarchical_vae.latents import BASE_LATENTS, LATENTS, ROOT, layer_of
from progressive.codecs.hierarchical_vae.segments import Contents, prefix_bytes
from progressive.exact.records import encoded
from progressive.exact.tables import FrequencyTable
from progressive.segments.ordering import numbered
from progressive.segments.tiles import Layout
from progressive.stream import Segment

SLACK_BITS = 16
"""What a range code may take beyond the ideal, with room to spare."""


class TooLargeError(Exception):
    """Something does not fit a segment. Fields: latent: what; excess: how many times what there is room for."""

    def __init__(self, latent: int, excess: float) -> None:
        super().__init__(f"latent {latent} does not fit")
        self.latent, self.excess = latent, excess


@dataclass(eq=False)
class Draft:
    """A segment before it has an id; `needs` come before it."""

    contents: Contents
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def layer(self) -> int:
        return layer_of(self.contents.latent)

    @property
    def density(self) -> float:
        return self.utility / (4 + len(self.contents.code))


def drafts_of(
    number: int,
    tile: CodedTile,
    importance: NDArray[np.float64],
    tables: Mapping[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
    *,
    whole: bool = True,
) -> list[Draft]:
    """All segments of a tile, dependencies first.

    Args:
        number: the tile's.
        importance: of each of its blocks, [B].
        tables: of the symbols.
        whole: otherwise blocks go without a latent that does not fit, and all finer ones.

    Raises TooLargeError if the first latent, or another one of a single block, does not fit.
    """
    worth = tile.gains * importance
    code = encoded(tile.records[:1], tables)
    if len(code) + prefix_bytes(layout, ROOT) > max_payload:
        raise TooLargeError(ROOT, len(code) / max_payload)
    root = Draft(Contents(number, ROOT, code), float(worth[ROOT].sum()))
    drafts, holders = [root], dict.fromkeys(tile.order, root)
    for latent in range(ROOT + 1, len(LATENTS)):
        room = max_payload - prefix_bytes(layout, latent)
        finer: dict[int, Draft] = {}
        runs = _Runs(tile, latent, tables, room, whole=whole or latent < BASE_LATENTS)
        for first, chosen, code in runs.among(set(holders)):
            needs = list({id(holders[b]): holders[b] for b in chosen}.values())
            contents = Contents(number, latent, code, first, len(chosen))
            draft = Draft(contents, max(float(worth[latent, chosen].sum()), 0.0), needs)
            drafts.append(draft)
            finer |= dict.fromkeys(chosen, draft)
        holders = finer
    return drafts


def ordered(drafts: Sequence[Draft], layout: Layout) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: the base latent by latent, so that the first picture is whole; then always the best
    utility per byte whose needs are met.
    """

    def payload(draft: Draft, _: int, __: tuple[int, ...]) -> bytes:
        return draft.contents.to_bytes(layout)

    def turn(draft: Draft) -> tuple[int, float]:
        return min(draft.contents.latent, BASE_LATENTS), -draft.density

    return numbered(drafts, turn, payload)


def estimated_size(tiles: Sequence[CodedTile], max_payload: int) -> float:
    """Bytes that the segments of a photo are likely to take."""
    total = 0.0
    for tile in tiles:
        each = tile.bits.sum(1) / 8 + 1
        total += float((each + 5 * np.ceil(each / (max_payload - 6))).sum())
    return total


@dataclass(frozen=True)
class _Runs:
    """A latent of a tile in as few segments as hold it. Fields: as of `drafts_of`; bytes that there is room for."""

    tile: CodedTile
    latent: int
    tables: Mapping[str, FrequencyTable]
    room: int
    whole: bool

    def among(self, blocks: set[int]) -> Iterator[tuple[int, list[int], bytes]]:
        """(First, blocks, range code) of runs of the tile's list, about equal, of these blocks."""
        order = self.tile.order
        first = 0
        while first < len(order):
            if order[first] not in blocks:
                first += 1
                continue
            end = first
            while end < len(order) and order[end] in blocks:
                end += 1
            taken, code = self._longest(list(order[first:end]))
            if code is not None:
                yield first, list(order[first : first + taken]), code
            first += taken

    def _longest(self, order: list[int]) -> tuple[int, bytes | None]:
        """How many of the blocks are in the next segment, and its code; none for a single one that does not fit."""
        left = self.tile.bits[self.latent][order]
        total = float(left.sum())
        share = total / max(1, np.ceil(total / max(8 * self.room - SLACK_BITS, 1)))
        count = max(1, int(np.searchsorted(np.cumsum(left), share * 1.0001, side="right")))
        while True:
            code = self.tile.records[self.latent].encoded_blocks(self.tables, sorted(order[:count]))
            if len(code) <= self.room:
                return count, code
            if count == 1:
                break
            count -= 1
        if self.whole:
            raise TooLargeError(self.latent, len(code) / self.room)
        return 1, None
