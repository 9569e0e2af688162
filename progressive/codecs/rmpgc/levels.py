"""Many enhance segments at once: those of one level go through the networks together.

Legend: B blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from progressive.codecs.rmpgc.assembly import Whole
from progressive.codecs.rmpgc.backbone import LevelOf, Tile
from progressive.codecs.rmpgc.segments import Listed, named, next_level
from progressive.errors import BitstreamError
from progressive.exact.coders import JointDecoder

WORTH_A_THREAD = 8
"""Blocks that are worth a thread of their own."""


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
    parts = [part for group in groups.values() for part in _parts(group)]
    if len(parts) == 1:
        results = [_decoded(parts[0])]
    else:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            results = list(pool.map(_decoded, parts))
    for part, (result, whole) in zip(parts, results, strict=True):
        keep = [block for ready, good in zip(part, whole, strict=True) if good for block in ready.listed.blocks]
        part[0].tile.keep_level(result.only(keep))
        for ready, good in zip(part, whole, strict=True):
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


def _parts(group: list[_Ready]) -> list[list[_Ready]]:
    """Segments of one level of a tile in as many parts of about as many blocks as there are processors."""
    total = sum(len(ready.listed.blocks) for ready in group)
    count = max(1, min(os.cpu_count() or 1, len(group), total // WORTH_A_THREAD))
    parts: list[list[_Ready]] = [[] for _ in range(count)]
    done = 0
    for ready in group:
        parts[min(done * count // total, count - 1)].append(ready)
        done += len(ready.listed.blocks)
    return [part for part in parts if part]


def _decoded(part: list[_Ready]) -> tuple[LevelOf, list[bool]]:
    """What the segments make known, and which of them were whole."""
    tile, level = part[0].tile, part[0].listed.level
    coder = JointDecoder([tile.decoder_of(r.code) for r in part], [len(r.listed.blocks) for r in part])
    with torch.inference_mode():
        result = tile.code_level(coder, level, [block for ready in part for block in ready.listed.blocks])
    return result, coder.finish()
