"""From a photo to the latents that an encoder writes."""

from __future__ import annotations

import numpy as np

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour
from progressive.codecs.dual_autoencoder.layout import CHROMA_GAIN, PLANE_STEPS, Layout
from progressive.codecs.dual_autoencoder.model import Autoencoders, Floats, Model, kind_of, to_blocks
from progressive.codecs.dual_autoencoder.state import Target

CHOICE_STEP = PLANE_STEPS[2]
"""Experts are compared by what they would cost and leave at this step, which matters most between 0.1 and 0.3 bpp."""

_BITS_NONZERO, _BITS_OCTAVE = 4.5, 1.5
_BITS_WEIGHT = 0.13
_ROWS_AT_ONCE = 64


def analyse(photo: Photo, layout: Layout, model: Model) -> list[Target]:
    """The latents of every component of a photo."""
    targets = []
    for index, plane in enumerate(colour.to_planes(photo, layout)):
        gain = np.float32(CHROMA_GAIN if index else 1)
        autoencoders = model.autoencoders[kind_of(index)]
        blocks = to_blocks(plane)
        calm = autoencoders.encode_calm(blocks)
        residual = blocks - autoencoders.decode_calm(calm)
        strips = [
            choose_expert(residual[top : top + _ROWS_AT_ONCE], gain, autoencoders)
            for top in range(0, len(residual), _ROWS_AT_ONCE)
        ]
        expert, detail = (np.concatenate(parts) for parts in zip(*strips, strict=True))
        targets.append(Target(calm * gain, expert, detail))
    return targets


def choose_expert(residual: Floats, gain: np.float32, autoencoders: Autoencoders) -> tuple[np.ndarray, Floats]:
    """For blocks that G1 left, [..., P]: the expert with the least distortion plus rate, and its outputs, [..., O]."""
    outputs = np.einsum("...p,kop->...ko", residual, autoencoders.g2, optimize=True) * gain
    bins = np.floor(np.abs(outputs) / CHOICE_STEP)
    error = (np.abs(outputs) - np.where(bins > 0, bins + 0.45, 0) * CHOICE_STEP) ** 2
    captured = (outputs**2 - error).sum(-1)
    bits = (_BITS_NONZERO * (bins > 0) + _BITS_OCTAVE * np.log2(1 + bins)).sum(-1)
    expert = (captured - _BITS_WEIGHT * CHOICE_STEP**2 * bits).argmax(-1)
    return expert.astype(np.int32), np.take_along_axis(outputs, expert[..., None, None], -2)[..., 0, :]
