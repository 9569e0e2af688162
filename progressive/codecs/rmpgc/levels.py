"""Many enhance segments at once: those of one level go through the networks together.

Legend: B blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from progressive.codecs.rmpgc.assembly import Whole
from progressive.codecs.rmpgc.backbone import LevelOf, Tile
from progressive.codecs.rmpgc.segments import Listed, named, next_level
from progressive.errors import BitstreamError
from progressive.exact.coders import JointDecoder
from progressive.runtime.threads import idle_threads


@dataclass(frozen=True)
class Job:
    """A segment to be decoded. Fields: it, its tile, what it refers to, and its body."""

    whole: Whole
    tile: Tile
    of: Listed
    body: bytes


@dataclass(frozen=True)
class _Ready:
    """A job whose blocks are known. Fields: number among all jobs; tile; level; blocks, rising; range code."""

    number: int
    tile: Tile
    listed: Listed
    code: bytes


def decode_levels(jobs: Sequence[Job], levels: int) -> Iterator[Listed | BitstreamError]:
    """Decodes enhance segments whose blocks have the level before: what each then is, or what is wrong with it.

    `levels` is how many there are. Damaged ones leave no trace.
    """
    found: list[Listed | BitstreamError] = [BitstreamError("a segment repeats a level of a block")] * len(jobs)
    groups: dict[tuple[int, int], list[_Ready]] = {}
    claimed: set[tuple[int, int]] = set()
    for number, job in enumerate(jobs):
        try:
            ready = _ready(number, job, claimed, levels)
        except BitstreamError as error:
            found[number] = error
            continue
        claimed |= {(ready.listed.tile, block) for block in ready.listed.blocks}
        groups.setdefault((ready.listed.tile, ready.listed.level), []).append(ready)
    for group in groups.values():
        result, whole = _decoded(group)
        keep = [block for ready, good in zip(group, whole, strict=True) if good for block in ready.listed.blocks]
        group[0].tile.keep_level(result.only(keep))
        for ready, good in zip(group, whole, strict=True):
            found[ready.number] = ready.listed if good else BitstreamError("a segment's range code is damaged")
    return iter(found)


def _ready(number: int, job: Job, claimed: set[tuple[int, int]], levels: int) -> _Ready:
    if not job.of.blocks:
        raise BitstreamError("a segment refers to a base that is not whole")
    level = next_level(job.of, levels)
    blocks, code = named(job.whole.contents.form, job.body, job.of.blocks)
    taken = any((job.of.tile, block) in claimed for block in blocks)
    if taken or (job.tile.levels[list(blocks)] != job.of.level).any():
        raise BitstreamError("a segment repeats a level of a block")
    return _Ready(number, job.tile, Listed(job.of.tile, level, blocks), code)


def _decoded(group: list[_Ready]) -> tuple[LevelOf, list[bool]]:
    """What segments of one level of a tile make known, and which of them were whole."""
    tile, level = group[0].tile, group[0].listed.level
    coder = JointDecoder([tile.decoder_of(r.code) for r in group], [len(r.listed.blocks) for r in group])
    with torch.inference_mode(), idle_threads():
        result = tile.code_level(coder, level, [block for ready in group for block in ready.listed.blocks])
    return result, coder.finish()
