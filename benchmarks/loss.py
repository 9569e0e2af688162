"""What lost packets cost: our stream beside JPEG with restart markers and JPEG 2000 with precincts, at equal bytes.

    python -m benchmarks.loss [FOLDER] [--codec NAME] [--limit 6] [--draws 3] [--json FILE]

Each photo is encoded once and cut at each rate; each packet is lost with the same probability, independently and
seeded; what is left is decoded by the format's usual decoder. Every file has at most the bytes of ours, all counted,
and travels in packets of the same payload. Headers arrive in every system. `base kept` loses none of the base's
segments; JPEG 2000 then keeps as many bytes of its first layer. JPEG deals its intervals out to packets so that
neighbours are lost apart, and paints over the lost ones; JPEG 2000 skips what a lost packet held.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import _data
from benchmarks._packets import Lost, PacketedFile, draw_losses
from benchmarks._precinct_jpeg2000 import best_precinct_jpeg2000
from benchmarks._restart_jpeg import best_restart_jpeg
from progressive import metrics
from progressive.codec import Photo, ProgressiveCodec
from progressive.container import cut, file_size
from progressive.files import check_writable, write_atomically
from progressive.photos import find_photos, read_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream

RATES_BPP = (0.25, 0.5, 1.0, np.inf)
LOSSES = (0.1, 0.3, 0.5)
TARGET_FALL_DB = {0.1: 0.5, 0.3: 1.5}
"""How far the mean PSNR of our stream may fall when its base is kept."""

MIN_KEPT_SHARE = 0.9
"""A stream shorter than this share of a rate is not measured at that rate: its whole is."""

JPEG_INTERVAL_MCUS = 4
JPEG2000_SETTINGS = {"layers": 5, "precinct": 256, "code_block": 32}
"""Of those tried (intervals of 1 to 16 MCUs; 1 to 7 layers, precincts of 64 to 512, code-blocks of 32 and 64), the best
at 10 and 30 % loss over the rates, on photos that are not the ones measured."""


@dataclass(frozen=True, slots=True)
class OurFile:
    """A stream whose every segment is a packet."""

    codec: ProgressiveCodec
    stream: LayeredStream

    @property
    def size(self) -> int:
        return file_size(self.stream)

    @property
    def packets(self) -> int:
        return len(self.stream.segments)

    @property
    def base_segments(self) -> int:
        return sum(segment.layer == 0 for segment in self.stream.segments)

    @property
    def base_bytes(self) -> int:
        return sum(len(segment.payload) for segment in self.stream.segments if segment.layer == 0)

    def picture(self, lost: Lost) -> Photo:
        decoder = self.codec.decoder(self.stream.header)
        for segment, gone in zip(self.stream.segments, lost, strict=True):
            if not gone:
                decoder.push(segment.id, segment.payload)
        return decoder.picture()


@dataclass(frozen=True, slots=True)
class Measured:
    """One photo in one system at one rate; a value for each draw of losses, one draw where nothing is lost."""

    system: str
    photo: str
    rate_bpp: float | None
    bytes: int
    packets: int
    loss: float
    psnr: tuple[float, ...]
    ms_ssim: tuple[float | None, ...]


def systems(
    codec: ProgressiveCodec, photo: Photo, stream: LayeredStream, max_payload: int
) -> Iterator[tuple[str, PacketedFile, int]]:
    """Name, file of at most the stream's bytes, and number of its first packets that arrive in any case."""
    ours = OurFile(codec, stream)
    yield f"{codec.name}, base kept", ours, ours.base_segments
    yield f"{codec.name}, all alike", ours, 0
    if (jpeg2000 := best_precinct_jpeg2000(photo, ours.size, max_payload=max_payload, **JPEG2000_SETTINGS)) is not None:
        yield "jpeg2000, base kept", jpeg2000, -(-ours.base_bytes // max_payload)
        yield "jpeg2000, all alike", jpeg2000, 0
    if (jpeg := best_restart_jpeg(photo, ours.size, JPEG_INTERVAL_MCUS, max_payload)) is not None:
        yield "jpeg, all alike", jpeg, 0


def cuts(stream: LayeredStream, pixels: int) -> Iterator[tuple[float | None, LayeredStream]]:
    """The stream at each rate that it reaches, and whole (None)."""
    for rate in RATES_BPP:
        limit = rate * pixels / 8
        if np.isinf(rate):
            yield None, stream
        elif file_size(stream) >= MIN_KEPT_SHARE * limit:
            yield rate, cut(stream, int(limit))


def measure_photo(
    codec: ProgressiveCodec, path: Path, number: int, *, draws: int, seed: int, max_payload: int
) -> Iterator[Measured]:
    photo = read_photo(path)
    stream = codec.encode(photo, max_payload=max_payload)
    for rate, part in cuts(stream, photo.shape[0] * photo.shape[1]):
        for name, file, kept in systems(codec, photo, part, max_payload):
            for loss in (0.0, *LOSSES):
                lost = [
                    draw_losses(file.packets, loss, (seed, number, draw), kept=kept)
                    for draw in range(draws if loss else 1)
                ]
                pictures = [file.picture(one) for one in lost]
                psnr = tuple(metrics.psnr(picture, photo) for picture in pictures)
                ms_ssim = tuple(metrics.ms_ssim(picture, photo) for picture in pictures)
                yield Measured(name, path.stem, rate, file.size, file.packets, loss, psnr, ms_ssim)


def print_table(results: Sequence[Measured]) -> None:
    """Means over photos and draws; in brackets how far PSNR fell."""
    print(f"{'':9}{'':30}{'photos':>6} {'bytes':>7}  {'nothing lost':>13}" + "".join(f"{p:>21.0%}" for p in LOSSES))
    for rate in dict.fromkeys(result.rate_bpp for result in results):
        for system in dict.fromkeys(result.system for result in results):
            chosen = [r for r in results if (r.rate_bpp, r.system) == (rate, system)]
            if not chosen:
                continue
            cells, whole = [], _means(chosen, 0.0)
            for loss in LOSSES:
                psnr, ms_ssim = _means(chosen, loss)
                cells.append(f"{psnr:6.2f} ({psnr - whole[0]:+6.2f}) {ms_ssim:.3f}")
            lossless = [r for r in chosen if r.loss == 0]
            size = np.mean([r.bytes for r in lossless])
            print(
                f"{'whole' if rate is None else f'{rate:g} bpp':9}{system:30}{len(lossless):6} {size:7.0f}"
                f"   {whole[0]:6.2f} {whole[1]:.3f}" + "".join(cells)
            )


def print_verdict(results: Sequence[Measured], system: str) -> None:
    """How far our mean PSNR falls, worst rate, beside what it may fall."""
    for loss, allowed in TARGET_FALL_DB.items():
        falls = []
        for rate in dict.fromkeys(result.rate_bpp for result in results):
            chosen = [r for r in results if (r.rate_bpp, r.system) == (rate, system)]
            falls.append(_means(chosen, 0.0)[0] - _means(chosen, loss)[0])
        print(
            f"{system}, {loss:.0%} lost: falls by {np.mean(falls):.2f} dB over all rates, {max(falls):.2f} dB at the"
            f" worst (target: at most {allowed} dB)"
        )


def _means(results: Sequence[Measured], loss: float) -> tuple[float, float]:
    """PSNR and MS-SSIM over photos and draws at this loss."""
    chosen = [r for r in results if r.loss == loss]
    similarities = [s for r in chosen for s in r.ms_ssim if s is not None]
    return float(np.mean([r.psnr for r in chosen])), float(np.mean(similarities)) if similarities else np.nan


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--limit", type=int, default=6, help="number of photos, evenly taken")
    parser.add_argument("--draws", type=int, default=3, help="draws of losses for each photo, rate and probability")
    parser.add_argument("--max-payload", type=int, default=1000, help="bytes of a packet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="every measurement goes there")
    args = parser.parse_args()

    codec = load_codec(args.codec)
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    paths = paths[:: max(1, len(paths) // args.limit)][: args.limit]
    if args.json:
        check_writable(args.json)
    results: list[Measured] = []
    for number, path in enumerate(paths):
        results += measure_photo(codec, path, number, draws=args.draws, seed=args.seed, max_payload=args.max_payload)
    print(
        f"{len(paths)} photos, packets of {args.max_payload} bytes, {args.draws} draws, seed {args.seed}; "
        "PSNR in dB (and its change), MS-SSIM"
    )
    print_table(results)
    print_verdict(results, f"{codec.name}, base kept")
    if args.json:
        record = {"settings": {k: str(v) for k, v in vars(args).items()}, "results": [asdict(r) for r in results]}
        write_atomically(args.json, json.dumps(record, indent=1).encode())


if __name__ == "__main__":
    _data.run(benchmark)
