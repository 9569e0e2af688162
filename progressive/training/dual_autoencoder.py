"""Trains the dual autoencoder: linear parts in closed form, tables by counting, the smoothing filter by gradient.

Taha et al. (2025) train G1 first, then G2 on other blocks; here G2 works on what G1 leaves, and is a bank of experts
fitted by alternating between assigning blocks and taking principal components of each expert's blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as serialise
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour, lattice
from progressive.codecs.dual_autoencoder.analysis import analyse, choose_expert
from progressive.codecs.dual_autoencoder.detail import table_shapes
from progressive.codecs.dual_autoencoder.layout import CHROMA_GAIN, OUTPUTS, PIXELS, PLANE_STEPS, PLANES, Layout
from progressive.codecs.dual_autoencoder.model import KINDS, Autoencoders, Floats, Model, to_blocks
from progressive.codecs.dual_autoencoder.segments import COARSE, FINE, Contents, code_base, code_enhance_component
from progressive.codecs.dual_autoencoder.smoothing import SmoothingFilter
from progressive.codecs.dual_autoencoder.state import Component, Target, empty_state, tile_of
from progressive.codecs.dual_autoencoder.synthesis import linear_synthesis
from progressive.exact.coders import CountCollector
from progressive.exact.tables import frequencies_from_counts
from progressive.files import write_atomically
from progressive.training.data import load_photos

EXPERTS = {"luma": 16, "chroma": 4}

Tensors = dict[str, NDArray[np.generic]]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Settings of a run.

    Fields:
        photos: photos to train on, at most.
        blocks: blocks of each kind that fit the experts, at most.
        rounds: alternations of assignment and principal components.
        steps: gradient steps of the smoothing filter.
        batch, crop: samples a step, and their side in blocks.
        learning_rate: the highest, after the warm-up.
        seed: of everything random.
    """

    photos: int = 500
    blocks: int = 120_000
    rounds: int = 20
    steps: int = 4_000
    batch: int = 8
    crop: int = 24
    learning_rate: float = 1e-3
    seed: int = 0


def train(
    data: Sequence[Path],
    out: Path,
    *,
    photos: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    log: Log,
) -> None:
    """Trains on the photos below the folders `data` and writes the weight file `out`.

    With `resume`, the linear parts and tables of `out` stay as they are, so that streams made with them stay readable,
    and only the smoothing filter is trained further. `photos` and `steps` replace the recipe's.
    """
    recipe = replace(Recipe(seed=seed), **{k: v for k, v in (("photos", photos), ("steps", steps)) if v is not None})
    run(data, out, recipe=recipe, resume=resume, log=log)


def run(data: Sequence[Path], out: Path, *, recipe: Recipe, resume: bool, log: Log) -> None:
    """`train` with every setting of the recipe open."""
    resumed = Model.load(out).tensors if resume else {}
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    photos = load_photos(data, limit=recipe.photos, seed=recipe.seed)
    log(f"{len(photos)} photos, {sum(p.shape[0] * p.shape[1] for p in photos) / 1e6:.0f} megapixels")
    if resumed:
        tensors: Tensors = resumed
    else:
        tensors = _fit_linear(photos, recipe, rng, log)
        tensors |= _fit_tables(photos, tensors, rng, log)
        save(tensors, out)
    tensors |= _fit_filter(photos, Model(tensors), recipe, rng, log, lambda partial: save(tensors | partial, out))
    save(tensors, out)
    log(f"wrote {out}, model {Model(tensors).id.hex()}")


def save(tensors: Tensors, out: Path) -> None:
    """Writes the weights, whole or not at all."""
    write_atomically(out, serialise({name: np.ascontiguousarray(t) for name, t in sorted(tensors.items())}))


def layout_of(photo: Photo) -> Layout:
    return Layout(photo.shape[1], photo.shape[0], 3)


def _fit_linear(photos: list[Photo], recipe: Recipe, rng: np.random.Generator, log: Log) -> Tensors:
    tensors: Tensors = {}
    planes = [colour.to_planes(photo, layout_of(photo)) for photo in photos]
    for index, kind in enumerate(KINDS):
        components = [to_blocks(p) for photo in planes for p in (photo[1:] if index else photo[:1])]
        gain = np.float32(CHROMA_GAIN if index else 1)
        autoencoders = fit_calm(components, EXPERTS[kind])
        residuals = [b - autoencoders.decode_calm(autoencoders.encode_calm(b)) for b in components]
        pool = np.concatenate([r.reshape(-1, PIXELS) for r in residuals])
        energetic = pool[(pool**2).sum(1) * gain**2 > PLANE_STEPS[1] ** 2 / 2]
        log(f"{kind}: {len(energetic) / len(pool):.0%} of {len(pool)} blocks are detailed")
        sample = energetic[rng.permutation(len(energetic))[: recipe.blocks]]
        bank = fit_experts(sample, gain, autoencoders, recipe.rounds, rng)
        tensors |= {
            f"{kind}.g1_encoder": autoencoders.g1_encoder,
            f"{kind}.g1_decoder": autoencoders.g1_decoder,
            f"{kind}.g2": bank.g2,
            f"{kind}.centroids": _fit_centroids(sample, gain, bank),
        }
    return tensors


def fit_calm(components: list[Floats], experts: int) -> Autoencoders:
    """G1: the principal direction of blocks, and the least-squares decoder from outputs in 3x3 blocks."""
    second_moment = sum(b.reshape(-1, PIXELS).T @ b.reshape(-1, PIXELS) for b in components)
    direction = np.linalg.eigh(np.asarray(second_moment, np.float64))[1][:, -1]
    encoder = (direction * np.sign(direction.sum())).astype(np.float32)
    normal, target = np.zeros((9, 9)), np.zeros((9, PIXELS))
    for blocks in components:
        outputs = np.pad(blocks @ encoder, 1, mode="edge")
        h, w = blocks.shape[:2]
        around = np.stack([outputs[i : i + h, j : j + w].ravel() for i in range(3) for j in range(3)])
        normal += around @ around.T
        target += around @ blocks.reshape(-1, PIXELS)
    decoder = np.linalg.solve(normal + np.eye(9), target).astype(np.float32)
    nothing = np.zeros((experts, OUTPUTS, PIXELS), np.float32)
    return Autoencoders(encoder, decoder, nothing, np.full((PLANES, 2), 0.5, np.float32))


def fit_experts(
    sample: Floats, gain: np.float32, start: Autoencoders, rounds: int, rng: np.random.Generator
) -> Autoencoders:
    """G2: a bank of bases for blocks that G1 left, [N, P]; the first assignment is by the shape of the spectrum."""
    bank = start
    labels = _cluster_spectra(sample, start.experts, rng)
    for _ in range(rounds):
        bases = [_principal(sample[labels == k]) for k in range(start.experts)]
        bank = Autoencoders(start.g1_encoder, start.g1_decoder, np.stack(bases), start.centroids)
        labels, _ = choose_expert(sample, gain, bank)
    order = np.argsort(-np.bincount(labels, minlength=start.experts))
    return Autoencoders(start.g1_encoder, start.g1_decoder, np.ascontiguousarray(bank.g2[order]), start.centroids)


def _principal(blocks: Floats) -> Floats:
    """The O principal directions of blocks, [O, P], by falling variance."""
    moment = blocks.T.astype(np.float64) @ blocks + 1e-3 * np.eye(PIXELS)
    return np.ascontiguousarray(np.linalg.eigh(moment)[1][:, : -OUTPUTS - 1 : -1].T.astype(np.float32))


def _cluster_spectra(sample: Floats, clusters: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Spherical k-means of the magnitudes of the blocks' 2-D Fourier coefficients: groups by orientation and scale."""
    spectra = np.abs(np.fft.rfft2(sample.reshape(-1, 8, 8))).reshape(len(sample), -1)
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True) + 1e-9
    centres = spectra[rng.permutation(len(spectra))[:clusters]]
    labels = np.zeros(len(sample), np.intp)
    for _ in range(20):
        labels = (spectra @ centres.T).argmax(1)
        centres = np.stack(
            [spectra[labels == k].mean(0) if (labels == k).any() else centres[k] for k in range(clusters)]
        )
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return labels


def _fit_centroids(sample: Floats, gain: np.float32, bank: Autoencoders) -> Floats:
    """Where in its bin an output lies on average, by plane, for magnitude 1 and more, [PLANES, 2]."""
    _, outputs = choose_expert(sample, gain, bank)
    centroids = np.full((PLANES, 2), 0.5, np.float32)
    for plane, step in enumerate(PLANE_STEPS):
        scaled = np.abs(outputs) / step
        for column, chosen in enumerate(((scaled >= 1) & (scaled < 2), scaled >= 2)):
            if chosen.any():
                centroids[plane, column] = (scaled[chosen] % 1).mean()
    return centroids


def _fit_tables(photos: list[Photo], tensors: Tensors, rng: np.random.Generator, log: Log) -> Tensors:
    """Counts the symbols of every context over the photos, with the contexts of two random segments a plane."""
    shapes = {f"{kind}.base": (lattice.ROWS, lattice.SYMBOLS) for kind in KINDS}
    for kind in KINDS:
        shapes |= table_shapes(kind, EXPERTS[kind])
    collector = CountCollector(shapes)
    model = Model(tensors)
    for photo in photos:
        layout = layout_of(photo)
        targets, state = analyse(photo, layout, model), empty_state(layout)
        for number in range(layout.tiles):
            window = layout.window(number)
            tile = tile_of(state, window)
            views = [t.view(*window.slices(chroma=i > 0)) for i, t in enumerate(targets)]
            truth = [v.base_bins() for v in views]
            for contents in (Contents(number, COARSE), Contents(number, FINE, (0, window.height))):
                code_base(collector, contents, tile, truth)
            for plane in range(PLANES):
                first = rng.random(layout.regions(window)) < 0.5
                for regions in (first, ~first):
                    for index, (component, target) in enumerate(zip(tile, views, strict=True)):
                        code_enhance_component(collector, model, plane, regions, layout, component, target, index)
    log(f"counted {sum(c.sum() for c in collector.counts.values()) / 1e6:.1f} million symbols")
    return {
        f"tables.{name}": frequencies_from_counts(_regularised(name, counts))
        for name, counts in collector.counts.items()
    }


def _regularised(name: str, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adds to each row a little of what rows alike have in common, so that rare contexts are sensible too."""
    strength, floor = 12.0, 0.02
    if name.endswith(".base"):
        groups = counts.reshape(4, -1, 10, counts.shape[1]).sum((0, 1))
        pooled = np.broadcast_to(groups, (4, len(counts) // 40, 10, counts.shape[1])).reshape(counts.shape)
    elif name.endswith(".output"):
        experts = EXPERTS[name.partition(".")[0]]
        by_expert = counts.reshape(experts, OUTPUTS, -1, counts.shape[1])
        pooled = np.broadcast_to(by_expert.sum((0, 1), keepdims=True), by_expert.shape).reshape(counts.shape)
    else:
        pooled = np.broadcast_to(counts.sum(0), counts.shape)
    share = (pooled + floor) / (pooled + floor).sum(1, keepdims=True)
    regularised: NDArray[np.float64] = counts + strength * share + floor
    return regularised


def _fit_filter(
    photos: list[Photo],
    model: Model,
    recipe: Recipe,
    rng: np.random.Generator,
    log: Log,
    checkpoint: Callable[[Tensors], None],
) -> Tensors:
    """Minimises the filter's error relative to that of the linear synthesis, so that every level counts alike."""
    network = SmoothingFilter()
    if model.filter:
        network.load_state_dict({name: torch.from_numpy(t) for name, t in model.filter.items()})
    samples = [_luma(photo, model) for photo in photos]
    samples = [s for s in samples if min(s[0].shape[:2]) >= recipe.crop]
    optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate)
    running = 0.0
    for step in range(recipe.steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / recipe.steps)) + 0.01
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / 100) * decay
        clean, blurred, level, detailed = _draw(samples, model.autoencoders["luma"], recipe, rng)
        error = ((network(blurred, level, detailed) - clean) ** 2).mean((1, 2, 3))
        before = ((blurred - clean) ** 2).mean((1, 2, 3))
        loss = (error / (before + 1)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        running += loss.item()
        if step % 200 == 199:
            log(f"filter step {step + 1}: {-10 * math.log10(running / 200):.3f} dB better than without")
            running = 0.0
            checkpoint(_filter_tensors(network))
    return _filter_tensors(network)


def _filter_tensors(network: SmoothingFilter) -> Tensors:
    return {f"filter.{name}": t.numpy().astype(np.float16) for name, t in network.state_dict().items()}


def _luma(photo: Photo, model: Model) -> tuple[NDArray[np.float16], Target]:
    plane = colour.to_planes(photo, layout_of(photo))[0]
    return to_blocks(plane).astype(np.float16), analyse(photo, layout_of(photo), model)[0]


def _draw(
    samples: list[tuple[NDArray[np.float16], Target]],
    autoencoders: Autoencoders,
    recipe: Recipe,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch of crops at random levels: as a stream is received, most regions at one level and some a step behind."""
    clean, blurred, levels, detailed = [], [], [], []
    for _ in range(recipe.batch):
        blocks, target = samples[rng.integers(len(samples))]
        i, j = (rng.integers(n - recipe.crop + 1) for n in blocks.shape[:2])
        rows, columns = slice(i, i + recipe.crop), slice(j, j + recipe.crop)
        highest = rng.integers(PLANES + 1)
        behind = rng.random((recipe.crop // 8 + 1, recipe.crop // 8 + 1)) < rng.choice((0, 0.3, 0.7))
        level = highest - behind.repeat(8, 0).repeat(8, 1)[: recipe.crop, : recipe.crop] * (highest > 0)
        component = quantised(target.view(rows, columns), level.astype(np.int32))
        clean.append(blocks[rows, columns].astype(np.float32))
        blurred.append(linear_synthesis(component, autoencoders, chroma=False))
        levels.append(component.level)
        detailed.append(component.expert >= 0)
    before, after, level, turned = (torch.from_numpy(np.stack(part)) for part in (clean, blurred, levels, detailed))
    return before.permute(0, 3, 1, 2), after.permute(0, 3, 1, 2), level, turned


def quantised(target: Target, level: NDArray[np.int32]) -> Component:
    """The latents that a decoder has when each block has reached this level, [h, w]."""
    component = Component.empty(*level.shape)
    component.base[:], component.known[:], component.level[:] = target.base_bins(), True, level
    component.calm[:] = component.base
    for plane in range(PLANES):
        reached = level == plane + 1
        component.calm[reached] = target.calm_bins(plane)[reached]
        component.detail[reached] = target.detail_bins(plane)[reached]
    detailed = component.detail.any(-1)
    component.expert[detailed] = target.expert[detailed]
    return component
