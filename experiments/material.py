"""A coded photo in packets, and what any reception of them shows.

Legend: S source packets, P pieces, M most needs of a packet or piece, F trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from progressive.packing.packetizer import MAX_BLOCK_SOURCES, first_tier, tier_sizes
from progressive.wire.packet import OVERHEAD
from progressive.wire.protection import BlockShape, Slot

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LEAST_LEFT = 1e-3
"""Squared error, summed over all samples, that the additive model leaves at the least."""


@dataclass(frozen=True)
class Pieces:
    """What shows by itself, once it and all that it needs have come: the segments of a stream, the packets of a file.

    In the order of sending, all pieces up to one show what the decoder really made of them: distortion and MS-SSIM of
    the real pictures are shared out to the pieces that made the difference. What shows otherwise is their sum, which is
    exact where each piece needs the one before, and close where they are independent (`validation.py` compares that
    with real pictures).

    Fields:
        packet: number of the packet that each travels in, rising, [P].
        needs: numbers of the pieces without which each shows nothing, padded with P, [P, M].
        removed: distortion that each removes, in squared 8-bit steps summed over samples; where the picture gets worse
            negative, [P].
        similarity: MS-SSIM that each adds, [P]; nan if the photo is too small.
    """

    packet: Ints
    needs: Ints
    removed: Floats
    similarity: Floats


@dataclass(frozen=True)
class Material:
    """The source packets of one photo, in the order of sending.

    Fields:
        sizes: bytes on the wire of each packet, [S].
        needs: numbers of the packets without which each shows nothing, padded with S, [S, M]; for the planner.
        utility: distortion that each removes, as far as the sender knows, 0 or more, [S]; for the planner.
        base: so many first packets are the base: without them there is little to see.
        first_picture: so many pieces, with all they need, give a picture.
        pieces: what the packets show.
        grey: squared error of mid-grey, summed over samples.
        grey_similarity: MS-SSIM of mid-grey.
        samples: of the photo, H * W * 3.
        decode_s: seconds from a packet to its picture.
    """

    sizes: Ints
    needs: Ints
    utility: Floats
    base: int
    first_picture: int
    pieces: Pieces
    grey: float
    grey_similarity: float
    samples: int
    decode_s: float

    @cached_property
    def chain(self) -> bool:
        """Every piece needs the one before it."""
        needs = self.pieces.needs
        return needs.shape[1] == 1 and bool((needs[1:, 0] == np.arange(len(needs) - 1)).all())

    @cached_property
    def generations(self) -> list[Ints]:
        """The pieces that need others, those first whose needs have none themselves."""
        needs = self.pieces.needs
        depth = np.zeros(len(needs) + 1, dtype=np.intp)
        for piece, own in enumerate(needs):
            depth[piece] = 1 + depth[own[own < len(needs)]].max(initial=-1)
        return [np.flatnonzero(depth[:-1] == d) for d in range(1, int(depth.max()) + 1)]

    def shown_s(self, there_s: Floats) -> Floats:
        """When each piece shows, given when each packet is there (infinite for never), in seconds, [F, S] -> [F, P]."""
        own_s = there_s[:, self.pieces.packet]
        if self.chain:
            return np.asarray(np.maximum.accumulate(own_s, axis=1))
        shown = np.concatenate([own_s, np.full((len(own_s), 1), -math.inf)], axis=1)
        for generation in self.generations:
            latest = shown[:, self.pieces.needs[generation]].max(axis=2)
            shown[:, generation] = np.maximum(shown[:, generation], latest)
        return shown[:, :-1]

    def qualities(self, order: Ints) -> tuple[Floats, Floats]:
        """PSNR and MS-SSIM of the pictures as pieces show in an order, [F, P] -> two of [F, P + 1], grey first."""
        removed, similarity = (
            np.concatenate([np.zeros((len(order), 1)), np.cumsum(own[order], axis=1)], axis=1)
            for own in (self.pieces.removed, self.pieces.similarity)
        )
        left = np.maximum(self.grey - removed, LEAST_LEFT)
        return 10 * np.log10(255.0**2 * self.samples / left), self.grey_similarity + similarity

    def blocks(self, first: int | None = None) -> list[BlockShape]:
        """As the sender's packetizer blocks them: the base, then tiers of which the first has so many packets.

        None leaves the first tier to the packetizer's rule.
        """
        if first is None:
            first = first_tier(int(self.sizes.max()) - OVERHEAD)
        return self.blocks_of(tier_lengths(self.base, len(self.sizes), first))

    def blocks_of(self, lengths: Sequence[int]) -> list[BlockShape]:
        """The packets in blocks of these lengths."""
        starts = np.cumsum([0, *lengths])
        place = [Slot(b, i) for b, length in enumerate(lengths) for i in range(length)]
        based = int(np.searchsorted(starts, self.base))
        return [
            BlockShape(
                max(0, b - based + 1),
                tuple(self.sizes[start:end].tolist()),
                tuple(self.utility[start:end].tolist()),
                tuple(tuple(place[n] for n in own if n < len(place)) for own in self.needs[start:end]),
            )
            for b, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
        ]


def tier_lengths(base: int, packets: int, first: int) -> list[int]:
    """Source packets of each block: of the base at most `MAX_BLOCK_SOURCES`, then of the tiers."""
    lengths = [min(MAX_BLOCK_SOURCES, base - start) for start in range(0, base, MAX_BLOCK_SOURCES)]
    left, tiers = packets - base, tier_sizes(first)
    while left > 0:
        lengths.append(min(next(tiers), left))
        left -= lengths[-1]
    return lengths


def even_steps(packets: int, most: int) -> Ints:
    """Numbers of first packets from 0 to all, at most so many, evenly apart."""
    return np.unique(np.linspace(0, packets, min(most, packets + 1)).round().astype(np.intp))


def chain_needs(pieces: int) -> Ints:
    """Each packet needs the one before, the first none, [S, 1]."""
    needs = np.arange(-1, pieces - 1, dtype=np.intp)
    needs[:1] = pieces
    return needs[:, None]
