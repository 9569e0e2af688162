"""Exactness of codecs: streams that one machine makes, decoded with other threads, orders and instruction sets.

    python -m benchmarks.exact_streams [FOLDER] [--codec NAME] [--limit N] [--symbols 1e6]

Photos are coded in this process, which decodes them as well. Processes that are told to use other numbers of threads,
or older instruction sets, decode every segment one by one in an order of their own, and all at once. The symbols that
they read have to be the same: with any other probability a segment reads otherwise. Photos are coded until so many
symbols have been read in each setting. Exit status 1: symbols differ, or a segment was not read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from benchmarks import _data
from progressive.codec import ProgressiveCodec
from progressive.container import FileContents, read_stream, stream_to_bytes
from progressive.exact import coders
from progressive.files import read_bytes
from progressive.photos import find_photos, read_photo
from progressive.registry import CODECS, load_codec

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2"},
    "up to AVX2": {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "up to SSE4.1": {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}

MAX_FILE = 2**26


class Read:
    """What the range decoders of this process have read since it was made.

    Fields:
        symbols: how many.
        digest: the sum of a hash of each decoder's symbols, whatever their order: equal only for equal symbols.
    """

    def __init__(self) -> None:
        self.symbols = 0
        self._hashes: dict[int, Any] = {}
        self._decoders: list[object] = []

    @property
    def digest(self) -> str:
        return f"{sum(int.from_bytes(each.digest(), 'big') for each in self._hashes.values()) % 2**256:064x}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        original = coders.RangeSymbolDecoder.code

        def heard(own, table, rows, symbols, blocks):  # type: ignore[no-untyped-def]
            found = original(own, table, rows, symbols, blocks)
            if id(own) not in self._hashes:
                self._hashes[id(own)] = sha256()
                self._decoders.append(own)  # so that no other one gets its number
            self._hashes[id(own)].update(found.astype("<i4").tobytes())
            self.symbols += len(found)
            return found

        coders.RangeSymbolDecoder.code = heard  # type: ignore[method-assign]
        try:
            yield
        finally:
            coders.RangeSymbolDecoder.code = original  # type: ignore[method-assign]


def read_file(codec: ProgressiveCodec, contents: FileContents, seed: int) -> tuple[int, int, str]:
    """Decodes a file's segments one by one in some order, and all at once.

    Returns how many were not decoded, how many symbols were read, and their digest.
    """
    segments, read = list(contents.segments), Read()
    random.Random(seed).shuffle(segments)
    with read.listening():
        alone, together = codec.decoder(contents.header), codec.decoder(contents.header)
        for segment in segments:
            alone.push_all([segment])
        together.push_all(segments)
    refused = sum(len(segments) - decoder.status.decoded for decoder in (alone, together))
    return refused, read.symbols, read.digest


def in_setting(name: str, file: Path, setting: Mapping[str, str]) -> tuple[int, int, str]:
    """`read_file` in a process of its own with these environment variables."""
    command = [sys.executable, "-m", "benchmarks.exact_streams", "--codec", name, "--read", str(file)]
    output = subprocess.run(command, env=os.environ | setting, stdout=subprocess.PIPE, check=True).stdout
    refused, symbols, digest = json.loads(output)
    return refused, symbols, digest


def coded_files(name: str, photos: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Writes the whole stream of each photo."""
    codec = load_codec(name)
    for photo in photos:
        file = folder / f"{photo.stem}.prog"
        file.write_bytes(stream_to_bytes(codec.encode(read_photo(photo))))
        yield file


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--codec", action="append", metavar="NAME", help="may be given more than once; all without")
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--symbols", type=float, default=1e6, metavar="N", help="to read in each setting, if there are")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()

    if args.read:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        contents = read_stream(read_bytes(args.read, limit=MAX_FILE))
        print(json.dumps(read_file(load_codec(args.codec[0]), contents, seed=1)))
        return
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    chosen = [paths[len(paths) * i // count] for i in range(count)]
    everything = 0
    for name in args.codec or sorted(CODECS):
        totals = {setting: [0, 0, 0] for setting in SETTINGS}
        with tempfile.TemporaryDirectory() as folder:
            for file in coded_files(name, chosen, Path(folder)):
                contents = read_stream(read_bytes(file, limit=MAX_FILE))
                _, _, expected = read_file(load_codec(name), contents, seed=0)
                for setting, variables in SETTINGS.items():
                    refused, symbols, digest = in_setting(name, file, variables)
                    for place, number in enumerate((symbols, refused, digest != expected)):
                        totals[setting][place] += number
                if min(total[0] for total in totals.values()) >= args.symbols:
                    break
        for setting, (symbols, refused, differ) in totals.items():
            print(f"{name:18}{setting:14}{symbols:>14,} symbols, {refused} segments not read, {differ} photos differ")
            everything += refused + differ
    sys.exit(1 if everything else 0)


if __name__ == "__main__":
    _data.run(benchmark)
