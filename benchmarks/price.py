"""The price of segments: bytes of rmpgc's stream over the ideal length of what they hold, and what they are spent on.

    python -m benchmarks.price [FOLDER] [--weights FILE] [--segment-size 1200] [--limit N]

The ideal is the length of the symbols that the encoder writes, by the tables that the range coder uses. What a payload
takes beyond it are its **prefix** (form, tile or the id that it refers to), the **names** of its blocks, and the
**end** of its range code, which has whole bytes. All in % of the ideal, for the base and each plane; in a file each
segment also has a record of its own (`progressive.container`), which packets have not.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.rmpgc.assembly import Fragments
from progressive.codecs.rmpgc.backbones.multiscale.backbone import Multiscale
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS
from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH, LEVELS, PLANES
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.codecs.rmpgc.segments import BASE, Contents, Listed, named, next_level
from progressive.container import RECORD_OVERHEAD
from progressive.exact.tables import FrequencyTable
from progressive.photos import find_photos, read_photo
from progressive.stream import LayeredStream

Numbers = NDArray[np.float64]

AIMS = (3.0, *[1.2] * PLANES)
"""In %, for the base and for each plane."""


def _of_layers() -> Numbers:
    return np.zeros(1 + PLANES)


@dataclass
class Bytes:
    """What a stream takes, the base first, [1 + PLANES] each.

    Fields:
        ideal: the symbols by their tables.
        prefixes, names, codes: parts of the payloads.
        segments: how many.
    """

    ideal: Numbers = field(default_factory=_of_layers)
    prefixes: Numbers = field(default_factory=_of_layers)
    names: Numbers = field(default_factory=_of_layers)
    codes: Numbers = field(default_factory=_of_layers)
    segments: Numbers = field(default_factory=_of_layers)

    @property
    def payloads(self) -> Numbers:
        return self.prefixes + self.names + self.codes

    def add(self, other: Bytes) -> None:
        for name in ("ideal", "prefixes", "names", "codes", "segments"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def ideal_bytes(coded: CodedPhoto, tables: Mapping[str, FrequencyTable]) -> Numbers:
    """Of the base and each plane, [1 + PLANES]."""
    bits = _of_layers()
    for tile in coded.coded.tiles:
        bits[0] += sum(record.bits(tables, 1).sum() for record in tile.stages)
        for level in range(1, LEVELS + 1):
            bits[DEPTH.layer_of(level)] += tile.bits[level - 1].sum()
    return bits / 8


def spent(stream: LayeredStream, coded: CodedPhoto) -> Bytes:
    """What a stream's payloads are made of; their `ideal` is left at zero."""
    found, fragments = Bytes(), Fragments()
    listed: dict[int, Listed] = {}
    for segment in stream.segments:
        piece = Contents.from_bytes(segment.payload, segment.id, coded.layout)
        found.prefixes[segment.layer] += len(segment.payload) - len(piece.body)
        found.segments[segment.layer] += 1
        whole = fragments.joined(segment.id, piece)
        if whole is None:
            continue
        contents, code = whole.contents, whole.contents.body
        if contents.form == BASE:
            new = Listed(contents.tile, 0, coded.coded.tiles[contents.tile].by_activity)
        else:
            of = listed[contents.reference]
            blocks, code = named(contents.form, contents.body, of.blocks)
            new = Listed(of.tile, next_level(of, LEVELS), blocks)
        listed |= dict.fromkeys(whole.ids, new)
        found.names[segment.layer] += len(contents.body) - len(code)
        found.codes[segment.layer] += len(code)
    return found


def measured(codec: Rmpgc, photo: Photo, max_payload: int) -> Bytes:
    coded = codec.analyse(photo)
    found = spent(codec.rank(coded, max_payload=max_payload), coded)
    found.ideal = ideal_bytes(coded, codec.backbone.tables)
    return found


def print_table(total: Bytes, pixels: int) -> None:
    columns = ("bpp", "segments", "in all %", "prefixes", "names", "ends", "aim", "records of a file")
    print(f"{'':10}" + "".join(f"{name:>{max(10, len(name) + 2)}}" for name in columns))
    prices = [
        100 * part / total.ideal
        for part in (total.payloads - total.ideal, total.prefixes, total.names, total.codes - total.ideal)
    ]
    records = 100 * RECORD_OVERHEAD * total.segments / total.ideal
    for layer, aim in enumerate(AIMS):
        name = f"plane {layer}" if layer else "base"
        print(
            f"{name:10}{8 * total.ideal[layer] / pixels:>10.4f}{total.segments[layer]:>10.0f}"
            + "".join(f"{price[layer]:>10.2f}" for price in prices)
            + f"{aim:>10.1f}{records[layer]:>19.2f}"
        )


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--segment-size", type=int, default=1200, help="largest segment, in bytes")
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    args = parser.parse_args()

    codec = Rmpgc(Multiscale.load(args.weights))
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    total, pixels = Bytes(), 0
    for path in (paths[len(paths) * i // count] for i in range(count)):
        photo = read_photo(path)
        total.add(measured(codec, photo, args.segment_size))
        pixels += photo.shape[0] * photo.shape[1]
    print(f"{count} photos, segments of {args.segment_size} bytes; in % of the ideal bytes of all photos")
    print_table(total, pixels)


if __name__ == "__main__":
    _data.run(benchmark)
