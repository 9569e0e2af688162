"""Exactness of rmpgc's probability networks: symbols coded again in other arithmetics, counted where anything differs.

    python -m benchmarks.exactness [--symbols 1e8] [--weights FILE] [--data DIR] [--seed N]

The reference is the kernel float32 on one thread, channels_last, all blocks of a tile at once. Against it: two threads,
each block alone, float64, integers (int64 sums and shifts), NCHW, PyTorch without oneDNN, CUDA where there is one; the
kernel int8, again on two threads and with blocks alone; and both kernels in processes of their own that are told to use
older instruction sets. A setting that the codec itself refuses, since its known answer comes out wrong there, is named.

All planes of scikit-image's photos, of `kodak` of --data and of generated photos are coded, until so many symbols have
been compared. A symbol differs if it, or the row of the table that it is coded with, is not the reference's. Last, one
weight of each layer is changed by one unit: the known answer has to tell, by each kernel. Exit status 1: it did not, or
symbols differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import (
    KNOWN_ANSWER,
    NETWORKS,
    WEIGHTS,
    Coding,
    Model,
    choose_kernel,
    exact_networks,
    known_answer,
    load_tensors,
)
from progressive.codecs.rmpgc.backbones.multiscale.picture import latent_of
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, SCALES, layout_of
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState
from progressive.errors import UsageError
from progressive.exact.layers import KERNELS, MAX_ACTIVATION, MAX_WEIGHT, Conv, layers_of
from progressive.exact.records import Recorder
from progressive.photos import SAMPLES, find_photos, read_photo, sample_photo

Arithmetic = Callable[[Conv, Tensor, int, Tensor | None], Tensor]
"""Computes what a layer of the kernel float32 makes of its inputs (`Conv.forward`)."""

Tensors = Mapping[str, Tensor]
"""Those of a weight file."""

Latent = list[Tensor]
"""Of a tile, all scales [1, C, h, w]."""

Coded = list[NDArray[np.int16]]
"""Of each scale of a tile's base, and of each level: table rows and symbols, block by block, [2, S]."""

Code = Callable[[Latent], Coded]


@dataclass(frozen=True)
class Variant:
    """Another way to compute the same.

    Fields:
        arithmetic: of each layer; None for the layer's own.
        alone: one block at a time.
        setting: what holds meanwhile.
        environment: of the process that computes; a process of its own if any is given.
    """

    name: str
    kernel: str = "float32"
    arithmetic: Arithmetic | None = None
    alone: bool = False
    setting: Callable[[], AbstractContextManager[None]] = nullcontext
    device: str = "cpu"
    environment: Mapping[str, str] = field(default_factory=dict)


def in_float64(layer: Conv, x: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
    inverse = layer.inverse.double().view(-1, 1, 1)
    y = F.conv2d(x.double(), layer.weight.double(), None, layer.stride, layer.padding)
    y = y * inverse + layer.bias[kind].double().view(-1, 1, 1) + (0 if plus is None else plus)
    y = y.round()
    return (y.clamp(0, MAX_ACTIVATION) if layer.activation else y).float()


def in_integers(layer: Conv, x: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
    """Sums of products and a shift, all in int64; halves go to the even neighbour."""
    side, around = layer.weight.shape[-1], F.pad(x, [layer.padding] * 4).long()
    windows = around.unfold(2, side, layer.stride).unfold(3, side, layer.stride)
    shift = -torch.log2(layer.inverse).long().view(-1, 1, 1)
    bias = (layer.bias[kind] / layer.inverse).long().view(-1, 1, 1)
    sums = torch.einsum("nchwij,ocij->nohw", windows, layer.weight.long()) + bias
    if plus is not None:
        sums += plus.long() << shift
    y, rest, half = sums >> shift, sums & ((1 << shift) - 1), 1 << (shift - 1)
    y += (rest > half) | ((rest == half) & (y % 2 == 1))
    return (y.clamp(0, MAX_ACTIVATION) if layer.activation else y).float()


def in_nchw(layer: Conv, x: Tensor, kind: int = 0, plus: Tensor | None = None) -> Tensor:
    y: Tensor = layer.forward(x.contiguous(), kind, None if plus is None else plus.contiguous())
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


INSTRUCTION_SETS = {
    "AVX-512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "ATEN_CPU_CAPABILITY": "avx512"},
    "AVX-512 VNNI": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI", "ATEN_CPU_CAPABILITY": "avx512"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
}
"""At most these; a processor that has less uses what it has."""


def variants() -> list[Variant]:
    found = [
        Variant("2 threads", setting=two_threads),
        Variant("blocks alone", alone=True),
        Variant("float64", arithmetic=in_float64),
        Variant("int64", arithmetic=in_integers),
        Variant("NCHW", arithmetic=in_nchw),
        Variant("no oneDNN", setting=without_onednn),
        Variant("int8", "int8"),
        Variant("int8, 2 threads", "int8", setting=two_threads),
        Variant("int8, blocks alone", "int8", alone=True),
    ]
    for name, environment in INSTRUCTION_SETS.items():
        found += [Variant(f"{kernel}, {name}", kernel, environment=environment) for kernel in KERNELS]
    return [*found, Variant("CUDA", device="cuda")] if torch.cuda.is_available() else found


def networks_for(variant: Variant, tensors: Tensors) -> ProbabilityNetworks:
    """Raises UsageError if the codec refuses to compute like this."""
    integers = {name.removeprefix(NETWORKS): t for name, t in tensors.items() if name.startswith(NETWORKS)}
    made = exact_networks(integers).to(variant.device)
    choose_kernel(made, tensors[KNOWN_ANSWER], variant.kernel)
    if variant.arithmetic is not None:
        for _, layer in layers_of(made):
            layer.register_forward_hook(_instead(variant.arithmetic), with_kwargs=True)
    return made


def _instead(arithmetic: Arithmetic) -> Callable[..., Tensor]:
    def replaced(layer: nn.Module, inputs: tuple[object, ...], named: dict[str, object], _: Tensor) -> Tensor:
        return arithmetic(layer, *inputs, **named)  # type: ignore[arg-type]

    return replaced


def code_of(variant: Variant, model: Model, tensors: Tensors) -> Code:
    """How a variant codes, in this process; raises UsageError if the codec refuses to."""
    coding = replace(model.coding, networks=networks_for(variant, tensors))

    def code(latent: Latent) -> Coded:
        with torch.inference_mode(), variant.setting():
            return coded(coding, latent, alone=variant.alone)

    return code


@contextmanager
def elsewhere(variant: Variant, tensors: Tensors) -> Iterator[Code]:
    """How a variant codes, in a process with its environment; raises UsageError as `code_of` does."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with _environment(variant.environment):
            started = pool.submit(_begin, replace(variant, environment={}), {n: t.numpy() for n, t in tensors.items()})
            started.result()
        yield lambda latent: pool.submit(_code_here, [y.numpy() for y in latent]).result()


_here: list[Code] = []


def _begin(variant: Variant, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    torch.set_num_threads(1)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    _here.append(code_of(variant, Model(tensors, "float32"), tensors))


def _code_here(latent: list[NDArray[np.float32]]) -> Coded:
    return _here[0]([torch.from_numpy(y) for y in latent])


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def coded(coding: Coding, latent: Latent, *, alone: bool = False) -> Coded:
    """What coding the true symbols of a tile passes through the coder."""
    inside = [y.to(coding.device) for y in latent]
    rows, columns = latent[0].shape[2:]
    target, state = Target(inside, Choices(inside[0])), TileState(rows, columns, coding)
    found: Coded = []
    for _ in range(SCALES):
        recorder = Recorder()
        state.keep_stages(state.code_stages(recorder, 1, target.base()))
        found.append(_by_block(recorder))
    blocks = list(range(rows * columns))
    for level in range(1, LEVELS + 1):
        groups = [[block] for block in blocks] if alone else [blocks]
        recorders = [Recorder() for _ in groups]
        results = [
            state.code_level(recorder, level, group, target.level(level, group))
            for recorder, group in zip(recorders, groups, strict=True)
        ]
        for result in results:
            state.keep_level(result)
        found.append(np.concatenate([_by_block(recorder) for recorder in recorders], 1))
    return found


def _by_block(recorder: Recorder) -> NDArray[np.int16]:
    if not recorder.passes:
        return np.zeros((2, 0), np.int16)
    rows, symbols, blocks = (np.concatenate([one[part] for one in recorder.passes]) for part in (1, 2, 3))
    order = np.argsort(blocks, kind="stable")
    return np.stack([rows[order], symbols[order]])


def compared(reference: Coded, found: Coded) -> tuple[int, int]:
    """Symbols, and how many of them differ."""
    total = differing = 0
    for expected, other in zip(reference, found, strict=True):
        count = expected.shape[1]
        total += count
        differing += int((expected != other).any(0).sum()) if expected.shape == other.shape else max(count, 1)
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


def tiles_of(photo: Photo, model: Model) -> Iterator[Latent]:
    """The latent of each tile."""
    layout, colours = layout_of(photo.shape[1], photo.shape[0]), Colours.of(photo)
    with torch.inference_mode():
        latent = latent_of(photo, layout, lambda rgb: model.analyse(colours.turned(rgb)))
    for window in layout.windows():
        yield [y[:, :, *window.slices(side)] for y, side in zip(latent, BLOCK_SIDES, strict=True)]


def caught_changes(networks: ProbabilityNetworks, expected: Tensor, seed: int, every: int = 1) -> tuple[int, int]:
    """In how many layers, every nth, the known answer tells one unit more in one weight; and how many these are."""
    random, kernel = np.random.default_rng(seed), networks.kernel
    caught, layers = 0, list(layers_of(networks))[::every]
    for _, layer in layers:
        weights = layer.weight.data
        place = tuple(int(random.integers(n)) for n in weights.shape)
        step = 1 if weights[place] < MAX_WEIGHT else -1
        weights[place] += step
        layer.use(kernel)
        caught += not torch.equal(known_answer(networks), expected)
        weights[place] -= step
        layer.use(kernel)
    return caught, len(layers)


def codes_of(model: Model, tensors: Tensors, stack: ExitStack) -> tuple[dict[str, Code], list[str]]:
    """How each variant codes, until the stack is closed; and the names of those that the codec refuses."""
    found: dict[str, Code] = {}
    refused: list[str] = []
    for variant in variants():
        try:
            if variant.environment:
                found[variant.name] = stack.enter_context(elsewhere(variant, tensors))
            else:
                found[variant.name] = code_of(variant, model, tensors)
        except UsageError:
            refused.append(variant.name)
    return found, refused


def missed_changes(kernel: str, tensors: Tensors, seed: int) -> int:
    """In how many layers the known answer does not tell a change; says so."""
    networks = networks_for(Variant(kernel, kernel), tensors)
    caught, layers = caught_changes(networks, tensors[KNOWN_ANSWER], seed)
    print(f"one weight changed by one unit, in each of {layers} layers: the answer of {kernel} tells in {caught}")
    return layers - caught


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--symbols", type=float, default=2e7, help="to compare, over all variants")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.symbols > 0:
        raise UsageError("--symbols must be above zero")

    tensors = load_tensors(args.weights)
    model = Model(tensors, "float32")
    reference = code_of(Variant("reference"), model, tensors)
    symbols, differences, kinds = Counter[str](), Counter[str](), Counter[str]()
    with ExitStack() as stack:
        others, refused = codes_of(model, tensors, stack)
        for kind, photo in photos(args.data / "kodak", args.seed):
            for latent in tiles_of(photo, model):
                expected = reference(latent)
                for name, code in others.items():
                    total, differing = compared(expected, code(latent))
                    symbols[name] += total
                    differences[name] += differing
            kinds[kind] += 1
            print(f"{symbols.total():,} symbols, {differences.total()} differ", file=sys.stderr, flush=True)
            if symbols.total() >= args.symbols:
                break
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    print(f"PyTorch {torch.__version__}, model {model.id.hex()}; photos: {listed}")
    for name in others:
        print(f"  {name:22}{symbols[name]:>14,} symbols, {differences[name]} differ")
    print(f"  {'all':22}{symbols.total():>14,} symbols, {differences.total()} differ")
    if refused:
        print(f"refused, as the known answer is another one there: {'; '.join(refused)}")
    missed = sum(missed_changes(kernel, tensors, args.seed) for kernel in KERNELS if kernel not in refused)
    if differences.total() or missed:
        sys.exit(1)


if __name__ == "__main__":
    _data.run(benchmark)
