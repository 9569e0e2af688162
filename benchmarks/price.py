"""The price of segments that need no other: bytes of rmpgc's stream against one segment with context across blocks.

    python -m benchmarks.price [FOLDER] [--weights FILE] [--segment-size 1200] [--limit N]

The same symbols, so the same picture, up to the end of each plane, in three ways: the stream's bytes, all counted; the
ideal length of its symbols under its tables, blocks apart; and that with context across blocks. The first over the
second is the price of prefixes and of ending range codes, the second over the third that of context.

Context across blocks is measured twice, as the networks were trained on blocks alone. `run across`: the same networks
run over whole tiles, where they see across borders but were never trained to. `centres`: a position in the middle of a
block has all its context already; the mean cost there is what every position would take (in the two finest scales,
which take nearly all; a photo does not know where borders are, so positions differ by their context alone).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.rmpgc.choices import Choices
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.coding import checkerboard
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS, LUMA, PLANES, SCALES, STAGES, TIERS, Layout
from progressive.codecs.rmpgc.model import WEIGHTS, Model
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.segments import Contents
from progressive.codecs.rmpgc.tile import LevelResult, Target, TileState
from progressive.entropy.coders import CostMeter
from progressive.entropy.tables import FrequencyTable
from progressive.metrics import psnr
from progressive.photos import find_photos, read_photo
from progressive.stream import LayeredStream

Numbers = NDArray[np.float64]

STEPS = 1 + LEVELS
"""The base, then the levels."""

WITH_CENTRE = tuple(scale for scale in range(SCALES) if BLOCK_SIDES[scale] >= 8)


@dataclass
class Lengths:
    """Ideal bits of a photo's symbols, by step (`STEPS`).

    Fields:
        within: blocks apart.
        across: the same networks run over whole tiles.
        places: of each step and scale of `WITH_CENTRE`, by position in the block, [s, s], blocks apart.
    """

    within: Numbers = field(default_factory=lambda: np.zeros(STEPS))
    across: Numbers = field(default_factory=lambda: np.zeros(STEPS))
    places: list[dict[int, Numbers]] = field(
        default_factory=lambda: [{s: np.zeros((BLOCK_SIDES[s],) * 2) for s in WITH_CENTRE} for _ in range(STEPS)]
    )

    @property
    def by_centres(self) -> Numbers:
        """What `within` would be if every position cost what those in the middle do, [STEPS]."""
        bits = self.within.copy()
        for step, scales in enumerate(self.places):
            for side, places in ((BLOCK_SIDES[scale], places) for scale, places in scales.items()):
                middle = slice(side // 4, side - side // 4)
                bits[step] += places[middle, middle].mean() * side**2 - places.sum()
        return bits


class WholeTile(TileState):
    """A tile coded as if it were one block: networks see across the borders of blocks."""

    def keep_stage(self, results: list[tuple[Tensor, Tensor]]) -> None:
        for index, features in results:
            self._chain.append(features)
            self.index.append(index.to(torch.int16))
            self.symbols.append(torch.zeros_like(index, dtype=torch.int8))
            self.tiers.append(torch.zeros_like(index, dtype=torch.uint8))
        self.stages += 1
        self.levels = np.zeros(1, np.uint8)
        if self.base_complete:
            self._contexts = [c.to(torch.uint8) for c in self._networks.contexts(self._chain)]
            self._chain = []


def lengths_of(photo: Photo, model: Model) -> Lengths:
    layout, lengths = Layout(photo.shape[1], photo.shape[0]), Lengths()
    with torch.inference_mode():
        colours = Colours.of(photo)
        latent = latent_of(photo, layout, lambda rgb: model.analysis(colours.turned(rgb)))
        for window in layout.windows():
            inside = [y[:, :, *window.slices(side)] for y, side in zip(latent, BLOCK_SIDES, strict=True)]
            truth = _count_within(inside, model, lengths)
            _count_across(truth, model, lengths)
    return lengths


def _count_within(latent: list[Tensor], model: Model, lengths: Lengths) -> list[list[Tensor]]:
    """Counts a tile as the encoder codes it; returns the symbols it chose: of the base and of each plane, by scale."""
    rows, columns = latent[0].shape[2:]
    state = TileState(rows, columns, model.networks, model.tiers)
    target = Target.of(latent, model.dequantiser, model.tables)
    blocks = list(range(rows * columns))
    for _ in STAGES:
        recorder = Recorder()
        state.keep_stage(state.code_stage(recorder, target.base))
        lengths.within[0] += recorder.bits(model.tables, 1).sum()
    chosen = [[from_blocks(index, rows).clone() for index in state.index]]
    for level in range(1, LEVELS + 1):
        recorder = Recorder()
        result = state.code_level(recorder, level, blocks, target.level(level, state))
        lengths.within[level] += recorder.bits(model.tables, len(blocks)).sum()
        for scale, bits in bits_by_place(recorder, result, model.tables).items():
            lengths.places[level][scale] += bits
        state.keep_level(result)
        if level % TIERS == 0:
            chosen.append([from_blocks(symbols, rows) for symbols in result.symbols])
    return chosen


def _count_across(truth: list[list[Tensor]], model: Model, lengths: Lengths) -> None:
    rows, columns = truth[0][0].shape[2:]
    state, meter = WholeTile(rows, columns, model.networks, model.tiers), CostMeter(model.tables, 1)
    before = 0.0
    for _ in STAGES:
        state.keep_stage(state.code_stage(meter, writing(truth[0])))
    for level in range(LEVELS + 1):
        if level:
            state.keep_level(state.code_level(meter, level, [0], writing(truth[-(-level // TIERS)])))
        lengths.across[level] += meter.bits[0] - before
        before = float(meter.bits[0])


def writing(symbols: list[Tensor]) -> Callable[[int], Choices]:
    """These symbols, whatever they cost."""
    return lambda scale: Choices(symbols[scale].float())


def bits_by_place(recorder: Recorder, result: LevelResult, tables: Mapping[str, FrequencyTable]) -> dict[int, Numbers]:
    """Bits that a level spends by position in the block, [s, s], of the scales that have a middle."""
    passes, tier = iter(recorder.passes), (result.level - 1) % TIERS
    found: dict[int, Numbers] = {}
    for scale, side in enumerate(BLOCK_SIDES):
        coded, total = result.tiers[scale] == tier, np.zeros(side**2)
        for number in range(3):
            part = slice(LUMA[scale]) if number < 2 else slice(LUMA[scale], None)
            mask = coded[:, part]
            if number < 2:
                mask = mask & checkerboard(mask[:, None], number)
            table, rows, symbols, _ = next(passes)
            places = torch.nonzero(mask.reshape(-1))[:, 0].numpy() % side**2
            total += np.bincount(places, tables[table].bits[rows, symbols], side**2)
        if scale in WITH_CENTRE:
            found[scale] = total.reshape(side, side)
    return found


def from_blocks(blocks: Tensor, rows: int) -> Tensor:
    """[rows * columns, C, s, s] -> [1, C, rows * s, columns * s]."""
    count, channels, side, _ = blocks.shape
    grid = blocks.reshape(rows, count // rows, channels, side, side).permute(2, 0, 3, 1, 4)
    return grid.reshape(1, channels, rows * side, -1)


def planes_of(codec: Rmpgc, stream: LayeredStream, photo: Photo) -> Iterator[tuple[int, float]]:
    """Bytes and PSNR of the stream's segments up to the end of each plane, the base first."""
    for plane in range(PLANES + 1):
        kept = [s for s in stream.segments if s.layer <= plane]
        decoder = codec.decoder(stream.header)
        for segment in kept:
            decoder.push(segment.id, segment.payload)
        yield len(stream.header.to_bytes()) + sum(len(s.payload) for s in kept), psnr(decoder.picture(), photo)


def prefix_share(stream: LayeredStream, photo: Photo) -> float:
    """Share of the whole stream's bytes that say what segments hold."""
    layout = Layout(photo.shape[1], photo.shape[0])
    prefixes = sum(len(s.payload) - len(Contents.from_bytes(s.payload, layout).code) for s in stream.segments)
    return prefixes / stream.size


def measured(codec: Rmpgc, photo: Photo, max_payload: int) -> Numbers:
    """Of each plane: bits a pixel, PSNR, then relative prices: all (twice), prefixes and ends, context (twice)."""
    stream, lengths = codec.encode(photo, max_payload=max_payload), lengths_of(photo, codec.model)
    header, pixels = len(stream.header.to_bytes()), photo.shape[0] * photo.shape[1]
    rows = []
    for plane, (size, quality) in enumerate(planes_of(codec, stream, photo)):
        upto = slice(1 + TIERS * plane)
        within, across, centres = (
            header + bits[upto].sum() / 8 for bits in (lengths.within, lengths.across, lengths.by_centres)
        )
        ratios = size / across, size / centres, size / within, within / across, within / centres
        rows.append([8 * size / pixels, quality, *(100 * (ratio - 1) for ratio in ratios)])
    return np.array(rows)


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--segment-size", type=int, default=1200, help="largest segment, in bytes")
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    args = parser.parse_args()

    codec = Rmpgc(Model.load(args.weights))
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    photos = [read_photo(paths[len(paths) * i // count]) for i in range(count)]
    means = np.mean([measured(codec, photo, args.segment_size) for photo in photos], axis=0)
    print(f"{count} photos, segments of {args.segment_size} bytes; prices in %, means over photos at equal pictures")
    print(f"{'':14}{'':>14}{'':>14}{'in all, against':>24}{'prefixes':>12}{'context, by':>24}")
    print(
        f"{'up to':14}{'bpp':>14}{'PSNR':>14}{'run across':>12}{'centres':>12}{'and ends':>12}"
        f"{'run across':>12}{'centres':>12}"
    )
    for plane, (bpp, quality, *prices) in enumerate(means):
        name = f"plane {plane}" if plane else "base"
        print(f"{name:14}{bpp:>14.3f}{quality:>14.2f}" + "".join(f"{price:>+12.2f}" for price in prices))


if __name__ == "__main__":
    _data.run(benchmark)
