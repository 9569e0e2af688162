"""The phases of RMPGC's training: what each trains, how it begins, and its loss.

    entropy    probability networks, the transform fixed; rounded to integers towards the end
    synthesis  the decoder's network, under all conditions
    joint      analysis, probability networks and synthesis
    final      probability networks, rounded, on what analysis has become

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc import wavelet
from progressive.codecs.rmpgc.layout import TIERS
from progressive.codecs.rmpgc.synthesis import in_plane
from progressive.training.rmpgc_conditions import (
    BASE,
    draw_states,
    indices_of,
    movable_values_under,
    slope_of,
    values_under,
)
from progressive.training.rmpgc_evaluation import bits_per_pixel, psnr_of_levels
from progressive.training.rmpgc_model import Semantics, Trainee
from progressive.training.rmpgc_photos import PhotoPool
from progressive.training.rmpgc_rate import Rate, rate_of_planes
from progressive.training.rmpgc_settings import Settings
from progressive.training.rmpgc_start import start_from_marginals

FIRST_LOOK = 32
"""Crops that starting values are taken from."""

ERROR_FLOOR = 1e-6
"""Mean squared error below which nothing is gained (60 dB)."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is minimised, and figures for the log by name."""

    total: Tensor
    figures: dict[str, Tensor]


class Phase(ABC):
    """A phase; photos are RGB in 0..1, [N, 3, H, W]."""

    name: str

    def __init__(self, model: Trainee, semantics: Semantics, settings: Settings) -> None:
        self.model, self.semantics, self.settings = model, semantics, settings
        self.own = settings.phase(self.name)

    @property
    @abstractmethod
    def trained(self) -> list[nn.Module]:
        """The modules whose weights this phase changes."""

    @abstractmethod
    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        """Before the first step; `fresh` if the trained modules know nothing yet."""

    def rounding(self, step: int) -> str:
        """How the probability networks compute at a step (`Layer.rounding`)."""
        return "none"

    @abstractmethod
    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        """The loss of a batch."""

    @abstractmethod
    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        """How good the model is on photos set aside, in a line."""

    def _latent(self, photos: Tensor) -> list[Tensor]:
        linear = wavelet.analyse(photos)
        with self._mixed(photos.device):
            added = self.model.analysis.learned(photos)
        return [y + more.float() for y, more in zip(linear, added, strict=True)]

    def _first_latent(self, pool: PhotoPool, rng: np.random.Generator) -> list[Tensor]:
        with torch.no_grad():
            return self._latent(pool.draw(rng, FIRST_LOOK, self.own.crop))

    def _bits_loss(self, rate: Rate, photos: Tensor) -> Loss:
        """Bits a pixel of the planes, weighted."""
        pixels = photos[:, 0].numel()
        planes = torch.stack([b.sum() for b in rate.bits]) / pixels
        weights = planes.new_tensor(self.settings.plane_weights)
        names = ["base", *(f"plane {k}" for k in range(1, len(planes)))]
        return Loss((weights * planes).sum(), {f"{n} bpp": b for n, b in zip(names, planes.detach(), strict=True)})

    def _picture_loss(self, photos: Tensor, values: list[Tensor], states: Tensor) -> tuple[Loss, Tensor]:
        """The logarithm of the squared error and, a little, of the features' distance; the errors found, [N].

        By the logarithm every condition counts alike, in decibels.
        """
        linear = wavelet.synthesise(values)
        with self._mixed(photos.device):
            pictures = self.model.synthesis.refine(linear, states).float()
        errors = (pictures - photos).square().mean((1, 2, 3))
        before = (linear.detach() - photos).square().mean((1, 2, 3))
        gain = 10 * torch.log10((before + ERROR_FLOOR) / (errors.detach() + ERROR_FLOOR)).mean()
        total, figures = torch.log(errors + ERROR_FLOOR).mean(), {"synthesis gain dB": gain}
        looked_at = self.settings.feature_samples
        if looked_at and self.settings.feature_weight:
            with self._mixed(photos.device):
                apart = self.semantics.distance(pictures[:looked_at], photos[:looked_at]).float()
            total = total + self.settings.feature_weight * torch.log(apart + ERROR_FLOOR).mean()
            figures["feature distance"] = apart.detach().mean()
        return Loss(total, figures), errors.detach()

    def _mixed(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.settings.mixed_precision)


class Entropy(Phase):
    """Probability networks alone."""

    name = "entropy"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.networks]

    @property
    def rounded_share(self) -> float:
        return self.settings.rounded_share

    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        if fresh:
            start_from_marginals(self.model.networks, self._first_latent(pool, rng))

    def rounding(self, step: int) -> str:
        return "straight-through" if step >= round((1 - self.rounded_share) * self.own.steps) else "none"

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            latent = self._latent(photos)
        return self._bits_loss(rate_of_planes(self.model.networks, latent, _by_chance(latent, rng)), photos)

    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        return bits_per_pixel(model, photos).line


class Final(Entropy):
    """Probability networks as they will be stored, on the analysis as it will be."""

    name = "final"

    @property
    def rounded_share(self) -> float:
        return 1.0

    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        """The networks go on from where they are."""


class Decoding(Phase):
    """The synthesis alone."""

    name = "synthesis"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.synthesis]

    def prepare(self, pool: PhotoPool, rng: np.random.Generator, *, fresh: bool) -> None:
        """The dequantiser is fitted to the latents as they are."""
        latent = self._first_latent(pool, rng)
        for plane, index in enumerate(indices_of(latent)):
            self.model.dequantiser.fit(latent, index, plane)

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        with torch.no_grad():
            latent = self._latent(photos)
            states = draw_states(photos, latent, self.semantics.importance, rng)
            known = self._indices_and_tiers(latent, states)
        return self._picture_loss(photos, values_under(self.model.dequantiser, latent, *known, states), states)[0]

    def _indices_and_tiers(self, latent: list[Tensor], states: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Indices and tiers of all planes; the networks are asked about photos that have a tier without the other."""
        indices = indices_of(latent)
        tiers = [[torch.zeros_like(n, dtype=torch.bool) for n in plane] for plane in indices[1:]]
        asked = in_plane(states).flatten(1).any(1).nonzero()[:, 0]
        if len(asked):
            early = torch.zeros_like(states[asked], dtype=torch.bool)
            rate = rate_of_planes(self.model.networks, [y[asked] for y in latent], early)
            for all_tiers, found in zip(tiers, rate.tiers, strict=True):
                for tier, here in zip(all_tiers, found, strict=True):
                    tier[asked] = here
        return indices, tiers

    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        return psnr_of_levels(model, photos).line


class Joint(Decoding):
    """Everything: the probability networks for their bits, the synthesis for its picture, the analysis for both.

    For the analysis a photo costs R + slope * D, divided by the slope * D that it has: the distortion then counts by
    its logarithm, as for the synthesis, and every condition alike.
    """

    name = "joint"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.analysis, self.model.networks, self.model.synthesis]

    def loss(self, photos: Tensor, rng: np.random.Generator) -> Loss:
        latent = self._latent(photos)
        states = draw_states(photos, latent, self.semantics.importance, rng)
        late = _by_chance(latent, rng)
        rate = rate_of_planes(self.model.networks, latent, late, marginal=True)
        bits = self._bits_loss(rate, photos)
        values, bend = movable_values_under(self.model.dequantiser, latent, rate.indices, rate.tiers, states)
        picture, errors = self._picture_loss(photos, values, states)
        distortion = (errors + ERROR_FLOOR) * photos[0].numel()
        marginal = ((_marginal_bits(rate, late, states) / slope_of(states) + bend) / distortion).mean()
        return Loss(bits.total + picture.total + marginal, bits.figures | picture.figures)

    def report(self, model: Trainee, photos: list[Tensor]) -> str:
        return f"{bits_per_pixel(model, photos).line}; {psnr_of_levels(model, photos).line}"


def _by_chance(latent: list[Tensor], rng: np.random.Generator) -> Tensor:
    """Half of the blocks, bool [N, R, K]."""
    coarsest = latent[0]
    chosen = rng.random((len(coarsest), *coarsest.shape[2:])) < 1 / TIERS
    return torch.from_numpy(chosen).to(coarsest.device)


def _marginal_bits(rate: Rate, late: Tensor, states: Tensor) -> Tensor:
    """Marginal bits of photos in these states, [N]: of the base, and of each block's tiers as far as it goes."""
    planes = []
    for number, bits in enumerate(rate.marginal):
        level = 1 + TIERS * number + late
        planes.append(((states >= BASE + level) * bits).sum((1, 2)))
    return rate.marginal_base + torch.stack(planes).sum(0)


PHASES: dict[str, type[Phase]] = {phase.name: phase for phase in (Entropy, Decoding, Joint, Final)}
