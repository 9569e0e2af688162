"""What the hierarchical VAE makes of photos at each rate, with and without semantics, and latent by latent.

    python -m benchmarks.hierarchical_vae [FOLDER] [--limit N] [--weights FILE] [--rates 0.1,0.2,0.3,0.5,1]

Streams are made for each rate, whole files. First PSNR, MS-SSIM and SI-SSIM (Qi et al. 2025, Eq. 20), with block levels
from the semantic map and without (their Table 4): means over photos, and the means of the differences with 95 %
intervals of the bootstrap. Then the picture after each latent z_i of the streams of one rate: what is missing is what
the prior expects.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.hierarchical_vae.codec import HierarchicalVae
from progressive.codecs.hierarchical_vae.model import WEIGHTS, Model
from progressive.container import cut, file_size, payload_within
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import byte_limit
from progressive.metrics import ms_ssim, psnr
from progressive.metrics.semantic import blockwise_si_ssim
from progressive.photos import find_photos, read_photo
from progressive.semantics.sources import importance_map

MAX_PAYLOAD = 1000

MEASURES = ("PSNR", "MS-SSIM", "SI-SSIM")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A photo.

    Fields:
        rates: bits a pixel and the measures, without semantics and with, [rates, 2, 4].
        latents: bits a pixel and PSNR after each layer of the middle rate's stream, [layers, 2].
    """

    rates: Numbers
    latents: Numbers


def measured(codecs: Sequence[HierarchicalVae], photo: Photo, rates: Sequence[float]) -> Measured:
    """Codes a photo at each rate without semantics (the first codec) and with (the second)."""
    importance, pixels = importance_map(photo), photo[..., 0].size
    found = np.zeros((len(rates), len(codecs), 1 + len(MEASURES)))
    latents: list[tuple[float, float]] = []
    for number, bpp in enumerate(rates):
        limit = byte_limit(bpp, pixels)
        for place, codec in enumerate(codecs):
            stream = codec.encode(photo, max_payload=MAX_PAYLOAD, budget=payload_within(limit, MAX_PAYLOAD))
            kept, decoder = cut(stream, limit), codec.decoder(stream.header)
            after = []
            for layer in range(1 + max(segment.layer for segment in kept.segments)):
                decoder.push_all((s.id, s.payload) for s in kept.segments if s.layer == layer)
                if number == len(rates) // 2 and codec is codecs[-1]:
                    size = file_size(kept.keep(s for s in kept.segments if s.layer <= layer))
                    after.append((8 * size / pixels, psnr(decoder.picture(), photo)))
            latents = after or latents
            shown = decoder.picture()
            similar = ms_ssim(shown, photo)
            quality = psnr(shown, photo), np.nan if similar is None else similar
            found[number, place] = 8 * file_size(kept) / pixels, *quality, blockwise_si_ssim(shown, photo, importance)
    return Measured(found, np.array(latents))


def print_rates(found: Sequence[Measured], rates: Sequence[float]) -> None:
    """Means over photos, and what semantics change."""
    values = np.array([m.rates for m in found])
    for number, measure in enumerate(MEASURES, 1):
        print(f"\n{measure}: bpp, without semantics, with, difference")
        for rate, bpp in enumerate(rates):
            plain, meant = values[:, rate, 0, number], values[:, rate, 1, number]
            gain = estimate(meant - plain)
            size = values[:, rate, :, 0].mean()
            means = f"{plain.mean():10.4f}{meant.mean():10.4f}"
            print(f"{bpp:8.3f} ({size:.4f}){means}  {gain.in_words('+.4f')}")


def print_latents(found: Sequence[Measured], bpp: float) -> None:
    """Means over the photos that have as many layers."""
    longest = max(len(m.latents) for m in found)
    print(f"\nlayer by layer of the streams for {bpp:g} bpp: bpp so far, PSNR")
    for layer in range(longest):
        size, quality = np.mean([m.latents[min(layer, len(m.latents) - 1)] for m in found], 0)
        print(f"{layer:8}{size:10.4f}{quality:10.2f}")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--rates", default="0.1,0.2,0.3,0.5,1", metavar="LIST", help="bits a pixel")
    args = parser.parse_args()

    rates = [float(part) for part in args.rates.split(",")]
    model = Model.load(args.weights)
    codecs = [HierarchicalVae(model, semantics=semantics) for semantics in (False, True)]
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    found = [measured(codecs, read_photo(paths[len(paths) * i // count]), rates) for i in range(count)]
    print(f"{count} photos, model {model.id.hex()}; means over photos, whole files")
    print_rates(found, rates)
    print_latents(found, rates[len(rates) // 2])


if __name__ == "__main__":
    _data.run(benchmark)
