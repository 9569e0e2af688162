"""A codec for one rate, made of rmpgc's networks: all in one pass, without planes, context across the whole photo.

Coefficients are multiplied by a gain, and then everything is base: its step of 1.62 becomes the step of the rate, its
dead zone in proportion, its indices as large as they come. The chain of the probability networks codes them; the
synthesis knows one state, that of the plane whose step is nearest. The phases of training are those of the recipe.

Legend: N photos; C coefficients a position; h x w positions.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._layered_photo import psnr
from progressive.codecs.rmpgc import quantiser, wavelet
from progressive.codecs.rmpgc.layers import MAX_ACTIVATION, UNIT, Pointwise
from progressive.codecs.rmpgc.layout import CHANNELS, LUMA, PLANES, SCALES, STAGES, TIERS
from progressive.codecs.rmpgc.probability import Passes, ProbabilityNetworks
from progressive.codecs.rmpgc.quantiser import DEAD_ZONE, STEP
from progressive.codecs.rmpgc.synthesis import KINDS, Dequantiser, state_of
from progressive.training.rmpgc_loop import Training
from progressive.training.rmpgc_model import Semantics, Trainee
from progressive.training.rmpgc_phases import ERROR_FLOOR, Decoding, Entropy, Loss, Phase
from progressive.training.rmpgc_photos import PhotoPool
from progressive.training.rmpgc_rate import BaseLoss
from progressive.training.rmpgc_relaxation import Crossing, crossing
from progressive.training.rmpgc_settings import Settings


def index_of(scaled: Tensor) -> Tensor:
    """Scaled coefficients -> the base's indices, however large."""
    beyond = torch.floor((scaled.abs() - DEAD_ZONE) / STEP) + 1
    return torch.sign(scaled) * beyond.clamp(min=0)


def nearest_alike(index: Tensor) -> Tensor:
    """The indices of bins around zero that the dequantiser tells apart from these by nothing but their place."""
    return index.clamp(-KINDS, KINDS)


class OpenDequantiser(Dequantiser):
    """The base's bins, as many as there are."""

    def forward(self, index: Tensor, plane: int, scale: int) -> Tensor:
        near = nearest_alike(index)
        value: Tensor = super().forward(near, plane, scale)
        return value + STEP * (index - near)

    def fit(self, latent: list[Tensor], index: list[Tensor], plane: int) -> None:
        near = [nearest_alike(n) for n in index]
        moved = [y - STEP * (n - m) for y, n, m in zip(latent, index, near, strict=True)]
        super().fit(moved, near, plane)


class ScaledNetworks(ProbabilityNetworks):
    """The chain for indices that are `gain` times as large.

    It sees them as they are and as multiples of the gain, which is how the checkpoint's networks saw them. What is new
    to these has weights of zero to begin with, and outputs are scaled: it starts with their prediction for finer bins.
    """

    def __init__(self, checkpoint: ProbabilityNetworks, gain: float) -> None:
        super().__init__()
        self.load_state_dict(checkpoint.state_dict())
        self.gain = gain
        for scale in range(SCALES):
            passes, fuse = self.base[scale], self.fuse[scale]
            assert isinstance(passes, Passes)
            assert isinstance(fuse, nn.Sequential)
            fuse[0] = _with_more_inputs(fuse[0], 2 * CHANNELS[scale])
            for network in (passes.second, passes.third):
                network[0] = _with_more_inputs(network[0], 2 * LUMA[scale])
            for head in (passes.first, passes.second[-1], passes.third[-1]):
                _scale_prediction(head, gain)

    def _describe(self, index: Tensor, gain: float) -> Tensor:
        return torch.cat([_described(index / self.gain, gain), _described(index, gain)], 1)


def _described(index: Tensor, gain: float) -> Tensor:
    """As the progressive networks describe integers, in whole units too."""
    size = 64 * torch.log2(1 + index.abs())
    return torch.cat([size, index * gain], 1).clamp(-MAX_ACTIVATION, MAX_ACTIVATION).round() * UNIT


def _with_more_inputs(layer: nn.Module, count: int) -> Pointwise:
    """The same function of its inputs, and for the time being of nothing else."""
    assert isinstance(layer, Pointwise)
    outputs, inputs = layer.weight.shape[:2]
    wider = Pointwise(inputs + count, outputs, scale=layer.scale, activation=layer.activation)
    with torch.no_grad():
        wider.weight.zero_()[:, :inputs] = layer.weight
        wider.bias.copy_(layer.bias)
    return wider


@torch.no_grad()
def _scale_prediction(head: nn.Module, gain: float) -> None:
    """Means and scales of Laplace distributions, times the gain; the head gives means and logarithms of scales."""
    assert isinstance(head, Pointwise)
    means = len(head.bias) // 2
    head.weight[:means] *= gain
    head.bias[:means] *= gain
    head.bias[means:] += math.log(gain)


@dataclass(frozen=True)
class Coded:
    """Photos as indices.

    Fields:
        index: of each scale, [N, C, h, w].
        bits: by scale, [N, SCALES].
        marginal: marginal bits (`rmpgc_rate`), [N]; zero unless asked for.
        crossings: of each scale, to the neighbouring bins; none unless asked for.
    """

    index: list[Tensor]
    bits: Tensor
    marginal: Tensor
    crossings: list[Crossing]


class SingleRate(Trainee):
    """The codec, as good as the checkpoint's base for finer bins until it is trained."""

    def __init__(self, checkpoint: Trainee, gain: float) -> None:
        super().__init__(
            deepcopy(checkpoint.analysis),
            ScaledNetworks(checkpoint.networks, gain),
            OpenDequantiser(),
            deepcopy(checkpoint.synthesis),
        )
        self.dequantiser.load_state_dict(checkpoint.dequantiser.state_dict())
        self.gain = gain
        distances = [abs(math.log(STEP / gain / quantiser.width_of(plane))) for plane in range(PLANES + 1)]
        self.state = state_of(len(STAGES), TIERS * int(np.argmin(distances)))

    def coded(self, latent: list[Tensor], *, moving: bool = False) -> Coded:
        """Codes the latent of N photos; `moving`: with marginal bits, for a gradient to it."""
        scaled = [self.gain * y for y in latent]
        index = [index_of(y.detach()).contiguous(memory_format=torch.channels_last) for y in scaled]
        crossings = [_crossing(y, n) for y, n in zip(scaled, index, strict=True)] if moving else []
        coders: list[BaseLoss] = []
        chain: Tensor | None = None
        for scale in range(SCALES):
            coder = BaseLoss(index[scale], LUMA[scale], crossings[scale] if moving else None)
            features = self.networks.chain_features(scale, chain, index[0])
            chain = self.networks.code_base(scale, features, coder)[1]
            coders.append(coder)
        bits = torch.stack([torch.as_tensor(c.bits) for c in coders], 1)
        marginal = torch.stack([torch.as_tensor(c.marginal) for c in coders]).sum(0) if moving else torch.zeros(1)
        return Coded(index, bits, marginal, crossings)

    def values(self, index: list[Tensor]) -> list[Tensor]:
        """Expected coefficients."""
        return [self.dequantiser(n, 0, scale) / self.gain for scale, n in enumerate(index)]

    def movable_values(self, coded: Coded) -> tuple[list[Tensor], Tensor]:
        """`values` with gradients to the latent, and what to add to each photo's squared error (`rmpgc_conditions`)."""
        values, bends = self.values(coded.index), []
        neighbours = [n + step.direction for n, step in zip(coded.index, coded.crossings, strict=True)]
        for scale, (beyond, step) in enumerate(zip(self.values(neighbours), coded.crossings, strict=True)):
            leap = beyond - values[scale]
            values[scale] = values[scale] + step.share * leap
            bends.append((step.share * leap**2).sum((1, 2, 3)))
        return values, torch.stack(bends).sum(0)

    def states(self, latent: list[Tensor]) -> Tensor:
        """The one state for every block, [N, R, K]."""
        count, _, rows, columns = latent[0].shape
        return torch.full((count, rows, columns), self.state, device=latent[0].device)

    @torch.no_grad()
    def measured(self, photo: Tensor) -> tuple[float, float]:
        """Bits and PSNR in dB of a photo, [1, 3, H, W]."""
        latent = self.analysis(photo)
        coded = self.coded(latent)
        linear = wavelet.synthesise(self.values(coded.index))
        return float(coded.bits.double().sum()), psnr(self.synthesis.refine(linear, self.states(latent)), photo)


def _crossing(scaled: Tensor, index: Tensor) -> Crossing:
    near = nearest_alike(index)
    return crossing(scaled - STEP * (index - near), near, 0)


class SingleRateEntropy(Entropy):
    """The chain alone."""

    def __init__(self, model: SingleRate, semantics: Semantics, settings: Settings) -> None:
        super().__init__(model, semantics, settings)
        self.single = model

    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        """The networks go on from where they are."""

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            latent = self._latent(photos)
        return _bits_loss(self.single.coded(latent), photos)

    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        return _report(model, photos)


class SingleRateFinal(SingleRateEntropy):
    """The chain, rounded."""

    name = "final"

    @property
    def rounded_share(self) -> float:
        return 1.0


class SingleRateDecoding(Decoding):
    """The synthesis alone."""

    def __init__(self, model: SingleRate, semantics: Semantics, settings: Settings) -> None:
        super().__init__(model, semantics, settings)
        self.single = model

    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        latent = [self.single.gain * y for y in self._first_latent(pool, rng)]
        self.model.dequantiser.fit(latent, [index_of(y) for y in latent], 0)

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            latent = self._latent(photos)
            values = self.single.values([index_of(self.single.gain * y) for y in latent])
        return self._picture_loss(photos, values, self.single.states(latent))[0]

    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        return _report(model, photos)


class SingleRateJoint(SingleRateDecoding):
    """Everything, as the recipe's joint phase weighs bits against squared error."""

    name = "joint"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.analysis, self.model.networks, self.model.synthesis]

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        latent = self._latent(photos)
        coded = self.single.coded(latent, moving=True)
        bits = _bits_loss(coded, photos)
        values, bend = self.single.movable_values(coded)
        picture, errors = self._picture_loss(photos, values, self.single.states(latent))
        slope = 6 / math.log(2) / (STEP / self.single.gain) ** 2
        distortion = (errors + ERROR_FLOOR) * photos[0].numel()
        marginal = ((coded.marginal / slope + bend) / distortion).mean()
        return Loss(bits.total + picture.total + marginal, bits.figures | picture.figures)


def _bits_loss(coded: Coded, photos: Tensor) -> Loss:
    bits = coded.bits.sum() / photos[:, 0].numel()
    return Loss(bits, {"bpp": bits.detach()})


def _report(model: Trainee, photos: list[Tensor]) -> str:
    assert isinstance(model, SingleRate)
    found = np.array([(bits / photo[0, 0].numel(), db) for photo in photos for bits, db in [model.measured(photo)]])
    bpp, db = found.mean(0)
    return f"bpp {bpp:.4f}; PSNR {db:.2f} dB"


PHASES: dict[str, type[Phase]] = {
    phase.name: phase for phase in (SingleRateEntropy, SingleRateDecoding, SingleRateJoint, SingleRateFinal)
}


class SingleRateTraining(Training):
    """The recipe's loop with these phases."""

    def _run_phase(self, number: int, phase: Phase, checkpoint: dict[str, Any] | None) -> None:
        assert isinstance(self.model, SingleRate)
        own = PHASES[phase.name](self.model, self.semantics, self.settings)
        super()._run_phase(number, own, checkpoint)
