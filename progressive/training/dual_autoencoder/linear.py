"""The linear parts in closed form: G1 by the principal direction of blocks, G2 as a bank of experts.

Taha et al. (2025) train G1 first, then G2 on other blocks; here G2 works on what G1 leaves, and is a bank of experts
fitted by alternating between assigning blocks and taking principal components of each expert's blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour
from progressive.codecs.dual_autoencoder.analysis import choose_expert
from progressive.codecs.dual_autoencoder.layout import CHROMA_GAIN, OUTPUTS, PIXELS, PLANE_STEPS, PLANES, Layout
from progressive.codecs.dual_autoencoder.model import KINDS, Autoencoders, Floats, to_blocks
from progressive.training.dual_autoencoder.settings import Settings
from progressive.training.loop import Log

EXPERTS = {"luma": 16, "chroma": 4}

Tensors = dict[str, NDArray[np.generic]]


def layout_of(photo: Photo) -> Layout:
    """How the codec would lay a photo out."""
    return Layout(photo.shape[1], photo.shape[0], 3)


def fit_linear(photos: Sequence[Photo], settings: Settings, rng: np.random.Generator, log: Log) -> Tensors:
    """The linear parts of both kinds, and where outputs lie in their bins, as in the weight file."""
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
        sample = energetic[rng.permutation(len(energetic))[: settings.blocks]]
        bank = fit_experts(sample, gain, autoencoders, settings.rounds, rng)
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
