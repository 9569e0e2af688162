"""Exactness of rmpgc's probability networks: symbols coded again in other arithmetics, counted where anything differs.

    python -m benchmarks.exactness [--symbols 1e8] [--weights FILE] [--data DIR] [--seed N]

The reference is one thread, float32, channels_last, all blocks of a tile at once. Against it: two threads, each block
alone, float64, integers (int64 sums and shifts), NCHW, PyTorch without oneDNN, and CUDA where there is one. All planes
of scikit-image's photos, of `kodak` of --data and of generated photos are coded, until so many symbols have been
compared. A symbol differs if it, or the row of the table that it is coded with, is not the reference's. Last, one
weight of each layer is changed by one unit: the known answer has to tell. Exit status 1: it did not, or symbols differ.
"""

from __future__ import annotations

import argparse
import copy
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.rmpgc.layers import MAX_ACTIVATION, MAX_WEIGHT, Layer, layers_of
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS, SCALES, STAGES, Layout
from progressive.codecs.rmpgc.model import WEIGHTS, Model, check_known_answer, known_answer
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.tile import Target, TileState
from progressive.errors import UsageError
from progressive.photos import SAMPLES, find_photos, read_photo, sample_photo

Arithmetic = Callable[[Layer, Tensor], Tensor]
"""Computes a layer's output, integers in float32, from such an input."""


@dataclass(frozen=True)
class Variant:
    """Another way to compute the same.

    Fields:
        arithmetic: of each layer; None for the layer's own.
        alone: one block at a time.
        setting: what holds meanwhile.
    """

    name: str
    arithmetic: Arithmetic | None = None
    alone: bool = False
    setting: Callable[[], AbstractContextManager[None]] = nullcontext
    device: str = "cpu"


def in_float64(layer: Layer, x: Tensor) -> Tensor:
    y = layer.convolve(x.double(), layer.weight.double(), layer.bias.double())
    y = (y * layer.get_buffer("inverse").double()).floor()
    return (y.clamp(0, MAX_ACTIVATION) if layer.activation else y).float()


def in_integers(layer: Layer, x: Tensor) -> Tensor:
    """Sums of products and a shift, all in int64."""
    weight, bias = layer.weight.long(), layer.bias.long().view(-1, 1, 1)
    if weight.shape[-1] == 1:
        sums = torch.einsum("oi,nihw->nohw", weight[:, :, 0, 0], x.long())
    else:
        height, width = x.shape[2:]
        around = F.pad(x, (1, 1, 1, 1)).long()
        sums = torch.zeros_like(x, dtype=torch.int64)
        for row in range(3):
            for column in range(3):
                tap = weight[:, 0, row, column].view(-1, 1, 1)
                sums += tap * around[:, :, row : row + height, column : column + width]
    shift = -torch.log2(layer.get_buffer("inverse")).long()
    y = (sums + bias) >> shift
    return (y.clamp(0, MAX_ACTIVATION) if layer.activation else y).float()


def in_nchw(layer: Layer, x: Tensor) -> Tensor:
    y: Tensor = layer.forward(x.contiguous())
    return y.contiguous()


@contextmanager
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def without_onednn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of Intel GPUs
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def variants() -> list[Variant]:
    found = [
        Variant("2 threads", setting=two_threads),
        Variant("blocks alone", alone=True),
        Variant("float64", in_float64),
        Variant("int64", in_integers),
        Variant("NCHW", in_nchw),
        Variant("no oneDNN", setting=without_onednn),
    ]
    return [*found, Variant("CUDA", device="cuda")] if torch.cuda.is_available() else found


def networks_for(variant: Variant, networks: ProbabilityNetworks) -> ProbabilityNetworks:
    made = copy.deepcopy(networks).to(variant.device)
    if variant.arithmetic is not None:
        for _, layer in layers_of(made):
            layer.register_forward_hook(_instead(variant.arithmetic))
    return made


def _instead(arithmetic: Arithmetic) -> Callable[[torch.nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def replace(layer: torch.nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        assert isinstance(layer, Layer)
        return arithmetic(layer, inputs[0])

    return replace


def coded(model: Model, networks: ProbabilityNetworks, latent: list[Tensor], *, alone: bool = False) -> list[Recorder]:
    """What coding the true symbols of a tile passes through the coder: of each stage, and of each level and group."""
    device = next(networks.parameters()).device
    target = Target.of([y.to(device) for y in latent], model.dequantiser, None)
    rows, columns = latent[0].shape[2:]
    state = TileState(rows, columns, networks, model.tiers)
    records = [Recorder() for _ in STAGES]
    for recorder in records:
        state.keep_stage(state.code_stage(recorder, target.base))
    blocks = list(range(rows * columns))
    for level in range(1, LEVELS + 1):
        chosen = target.level(level, state)
        choices = [chosen(scale) for scale in range(SCALES)]
        groups = [[block] for block in blocks] if alone else [blocks]
        recorders = [Recorder() for _ in groups]
        results = [
            state.code_level(recorder, level, group, choices.__getitem__)
            for recorder, group in zip(recorders, groups, strict=True)
        ]
        for result in results:
            state.keep_level(result)
        records.append(_joined(recorders))
    return records


def _joined(parts: list[Recorder]) -> Recorder:
    """Records of single blocks, in their order, as one of all of them."""
    if len(parts) == 1:
        return parts[0]
    joined = Recorder()
    for passes in zip(*(part.passes for part in parts), strict=True):
        rows, symbols = (np.concatenate([one[field] for one in passes]) for field in (1, 2))
        owners = np.repeat(np.arange(len(passes)), [len(one[1]) for one in passes])
        joined.code(passes[0][0], rows, symbols, owners)
    return joined


def compared(reference: list[Recorder], found: list[Recorder]) -> tuple[int, int]:
    """Symbols, and how many of them differ."""
    total = differing = 0
    for expected_record, record in zip(reference, found, strict=True):
        symbols = sum(len(one[1]) for one in expected_record.passes)
        total += symbols
        if [(p[0], len(p[1])) for p in expected_record.passes] != [(p[0], len(p[1])) for p in record.passes]:
            differing += symbols
            continue
        for (_, rows, values, _), (_, other_rows, other_values, _) in zip(
            expected_record.passes, record.passes, strict=True
        ):
            differing += int(((rows != other_rows) | (values != other_values)).sum())
    return total, differing


def photos(folder: Path, seed: int) -> Iterator[tuple[str, Photo]]:
    """Samples, those of the folder if it is there, then generated ones without end; kind and photo."""
    for name in SAMPLES:
        yield "scikit-image", sample_photo(name)
    if folder.is_dir():
        for path in find_photos(str(folder)):
            yield folder.name, read_photo(path)
    random = np.random.default_rng(seed)
    while True:
        yield "generated", generated(random)


def generated(random: np.random.Generator) -> Photo:
    """512x512 pixels of noise, its strength changing from place to place, over a smooth field or hard edges."""
    coarse = torch.from_numpy(random.uniform(0, 255, (1, 3, *random.integers(2, 40, 2)))).float()
    mode = str(random.choice(["nearest", "bicubic"]))
    field = F.interpolate(coarse, (512, 512), mode=mode)[0].permute(1, 2, 0).numpy()
    strength = np.kron(random.uniform(0, 1, (8, 8)) ** 4 * 100, np.ones((64, 64)))[..., None]
    noisy = field + strength * random.normal(size=field.shape)
    return np.asarray(noisy.round().clip(0, 255), np.uint8)


def tiles_of(photo: Photo, model: Model) -> Iterator[list[Tensor]]:
    """The latent of each tile, five scales [1, C, h, w]."""
    layout = Layout(photo.shape[1], photo.shape[0])
    latent = latent_of(photo, layout, model.analysis)
    for window in layout.windows():
        yield [y[:, :, *window.slices(side)] for y, side in zip(latent, BLOCK_SIDES, strict=True)]


def caught_changes(model: Model, seed: int) -> tuple[int, int]:
    """In how many layers the known answer tells one unit more in one weight, and how many there are."""
    random, networks = np.random.default_rng(seed), copy.deepcopy(model.networks)
    caught, layers = 0, list(layers_of(networks))
    for _, layer in layers:
        weights = layer.weight.data.view(-1)
        place = int(random.integers(len(weights)))
        step = 1 if weights[place] < MAX_WEIGHT else -1
        weights[place] += step
        caught += not torch.equal(known_answer(networks), model.known_answer)
        weights[place] -= step
    check_known_answer(networks, model.known_answer)
    return caught, len(layers)


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--symbols", type=float, default=2e7, help="to compare, over all variants")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.symbols > 0:
        raise UsageError("--symbols must be above zero")

    model = Model.load(args.weights)
    others = [(variant, networks_for(variant, model.networks)) for variant in variants()]
    symbols, differences, kinds = Counter[str](), Counter[str](), Counter[str]()
    with torch.inference_mode():
        for kind, photo in photos(args.data / "kodak", args.seed):
            for latent in tiles_of(photo, model):
                reference = coded(model, model.networks, latent)
                for variant, networks in others:
                    with variant.setting():
                        found = coded(model, networks, latent, alone=variant.alone)
                    total, differing = compared(reference, found)
                    symbols[variant.name] += total
                    differences[variant.name] += differing
            kinds[kind] += 1
            if symbols.total() >= args.symbols:
                break
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    print(f"PyTorch {torch.__version__}, model {model.id.hex()}; photos: {listed}")
    for variant, _ in others:
        print(f"  {variant.name:16}{symbols[variant.name]:>14,} symbols, {differences[variant.name]} differ")
    print(f"  {'all':16}{symbols.total():>14,} symbols, {differences.total()} differ")
    caught, layers = caught_changes(model, args.seed)
    print(f"one weight changed by one unit, in each of {layers} layers: the known answer tells in {caught}")
    if differences.total() or caught < layers:
        sys.exit(1)


if __name__ == "__main__":
    _data.run(benchmark)
