"""The phases of the recurrent codec's networks.

    short    networks, the first iterations
    long     networks, all iterations: what comes before the unrolled ones takes no gradients

Legend: N photos of a batch; B codes a cell; h x w cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.recurrent.layout import CELL, ITERATIONS
from progressive.codecs.recurrent.lstm import Memory
from progressive.codecs.recurrent.networks import GREY, Networks
from progressive.training.phase import Loss, Phase
from progressive.training.recurrent.model import Trainee
from progressive.training.recurrent.photos import PhotoPool
from progressive.training.recurrent.settings import Settings, UnrolledSettings

LEAST_ERROR = 1 / 512
"""Mean absolute error below which nothing is gained: half of an 8-bit step."""

WATCHED = (1, 2, 4, 8, 16, ITERATIONS)
"""Iterations that the log tells of."""


class Unrolled(Phase[Trainee]):
    """Iterations one after the other, on crops.

    The loss is the mean absolute error of the picture after each iteration (Wang et al. 2019, Eq. 8); by its logarithm
    all iterations count alike.
    """

    own: UnrolledSettings

    def __init__(
        self, name: str, model: Trainee, settings: Settings, pool: PhotoPool, held_out: Sequence[Tensor]
    ) -> None:
        super().__init__(name, model, settings.phase(name))
        self.settings, self.pool, self.held_out = settings, pool, held_out

    @property
    def trained(self) -> list[nn.Module]:
        networks = self.model.networks
        return [networks.linear, networks.encoder, networks.decoder, networks.head]

    def loss(self, rng: np.random.Generator) -> Loss:
        photos = self.pool.draw(rng, self.own.batch, self.own.crop)
        networks = self.model.networks
        before = int(rng.integers(self.own.latest + 1)) if rng.random() < self.own.late_share else 0
        with self._mixed(photos.device):
            with torch.set_grad_enabled(not before):
                walk = Walk(networks, photos).after(before)
            errors = []
            for _ in range(self.own.unrolled):
                walk.step()
                errors.append(_error(walk.picture, photos))
            losses = [torch.log(error + LEAST_ERROR).mean() for error in errors]
            codes = [code.detach() for code in walk.codes]
            if rng.random() < self.settings.masked_share:
                losses.append(torch.log(self._masked(photos, codes, rng) + LEAST_ERROR).mean())
        figures = {"first L1": errors[0].mean().detach() * 255, "last L1": errors[-1].mean().detach() * 255}
        return Loss(torch.stack(losses).mean(), figures)

    def _masked(self, photos: Tensor, codes: list[Tensor], rng: np.random.Generator) -> Tensor:
        """The error of pictures of which every cell has iterations of its own, [N]."""
        reached = draw_iterations(codes[0], len(codes), rng)
        networks = self.model.networks
        received = networks.nothing(len(photos), *codes[0].shape[2:])
        for number, code in enumerate(codes):
            received = networks.receive(received, code * (reached > number))
        return _error(networks.picture(received), photos)

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        if not self.held_out:
            return ""
        last = min(ITERATIONS, self.own.latest + self.own.unrolled)
        found: dict[int, list[float]] = {number: [] for number in WATCHED if number <= last}
        for photo in self.held_out:
            walk = Walk(model.networks, photo)
            for number in range(1, last + 1):
                walk.step()
                if number in found:
                    squared = ((walk.picture - photo).clamp(-GREY, GREY)).square().mean()
                    found[number].append(-10 * math.log10(float(squared) + 1e-9))
        return "PSNR after " + ", ".join(f"{number}: {np.mean(each):.2f} dB" for number, each in found.items())

    def _mixed(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.settings.mixed_precision)


class Walk:
    """Iterations over photos about zero, [N, 3, 16 h, 16 w].

    Fields:
        codes: of all iterations so far, [N, B, h, w] each.
        received: what a decoder knows of them.
        picture: what it shows.
    """

    def __init__(self, networks: Networks, photos: Tensor) -> None:
        self.networks, self.photos = networks, photos
        rows, columns = (n // CELL for n in photos.shape[2:])
        self.received = networks.nothing(len(photos), rows, columns)
        self.picture = networks.picture(self.received)
        self.codes: list[Tensor] = []
        self._memories: tuple[Memory, ...] = ()

    def step(self) -> None:
        """The next iteration (Eq. 4)."""
        residual = self.photos - self.picture
        code, self._memories = self.networks.binarised(residual, self.received, self._memories)
        self.received = self.networks.receive(self.received, code)
        self.picture = self.networks.picture(self.received)
        self.codes.append(code)

    def after(self, iterations: int) -> Walk:
        """Itself, so many iterations on."""
        for _ in range(iterations):
            self.step()
        return self


def draw_iterations(like: Tensor, most: int, rng: np.random.Generator) -> Tensor:
    """How many iterations each cell has, [N, 1, h, w]: smooth regions of more and of fewer, at most `most`."""
    count, _, height, width = like.shape
    coarse = torch.from_numpy(rng.normal(0, 1, (count, 1, 4, 4)).astype(np.float32))
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    middle = torch.from_numpy(rng.uniform(0.2, 1.0, (count, 1, 1, 1)).astype(np.float32))
    spread = torch.from_numpy(rng.uniform(0, 0.6, (count, 1, 1, 1)).astype(np.float32))
    return (most * (middle + spread * smooth)).round().clamp(0, most).to(like.device)


def _error(picture: Tensor, photos: Tensor) -> Tensor:
    """Mean absolute error of each photo, [N]."""
    return (picture.float() - photos).abs().mean((1, 2, 3))
