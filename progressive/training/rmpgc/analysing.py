"""The phase that trains what an encoder adds to the coefficients.

Legend: N crops of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.tradeoff import Cost, cost_of, reading_of, said_of
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.training.phase import Loss
from progressive.training.rmpgc.model import Trainee
from progressive.training.rmpgc.stage import ERROR_FLOOR, FIRST_LOOK, Stage, colours_of

PLANE_SHARES = (0.25, 0.25, 0.25, 0.15, 0.1)
"""How often the analysis is trained at each plane, the base first."""

SYNTHESIS_SHARE = 0.3
"""The synthesis' learning rate while the analysis is trained, as a share of that."""


class Analysing(Stage):
    """What an encoder adds to the coefficients, and the synthesis that it does so for; all blocks at one plane."""

    stage = "analysis"

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.analysis, self.model.synthesis]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        shares = (1.0, SYNTHESIS_SHARE)
        return [(list(module.parameters()), share) for module, share in zip(self.trained, shares, strict=True)]

    def loss(self, rng: np.random.Generator) -> Loss:
        plane = int(rng.choice(PLANES + 1, p=PLANE_SHARES))
        cost, error, pixels = self._traded(self.model, self.pool.draw_each(rng, self.own.batch, self.own.crop), plane)
        psnr = -10 * torch.log10(error.detach() / (3 * pixels) + ERROR_FLOOR).mean()
        figures = {f"{plane}: bpp": cost.bits.sum() / len(error) / pixels, f"{plane}: PSNR dB": psnr}
        return Loss(cost.traded(error, plane).mean(), figures)

    def _traded(self, model: Trainee, crops: Sequence[tuple[Tensor, Colours]], plane: int) -> tuple[Cost, Tensor, int]:
        """The cost of crops of one size at a plane, the squared errors of their pictures [N], and pixels of each."""
        photos = torch.cat([crop for crop, _ in crops])
        latent = model.analyse(torch.cat([colours.turned(crop) for crop, colours in crops]))
        reading = self._reading
        with self._mixed(photos.device):
            cost = cost_of(said_of(model.networks, latent, plane), latent, plane, reading)
        turned = model.transform.synthesise(cost.values)
        linear = torch.cat([colours.restored(y[None]) for y, (_, colours) in zip(turned, crops, strict=True)])
        shape = len(photos), *(n // BLOCK for n in photos.shape[2:])
        states = torch.full(shape, state_of(SCALES, TIERS * plane), device=photos.device)
        with self._mixed(photos.device):
            pictures = model.synthesis(linear, states).float()
        return cost, (pictures - photos).square().sum((1, 2, 3)), photos[0, 0].numel()

    @cached_property
    @torch.no_grad()
    def _reading(self) -> Tensor:
        """How indices are read: of photos as the transform alone makes them."""
        return reading_of(
            self.model.transform.analyse(self.pool.draw(np.random.default_rng(0), FIRST_LOOK, self.own.crop))
        )

    def quality(self, model: Trainee) -> str:
        lines = []
        for plane in range(PLANES + 1):
            found = [self._traded(model, [(x, colours_of(x))], plane) for x in self.held_out]
            bpp = sum(float(cost.bits) for cost, *_ in found) / sum(pixels for *_, pixels in found)
            psnr = np.mean([-10 * math.log10(float(e) / (3 * n) + ERROR_FLOOR) for _, e, n in found])
            lines.append(f"{bpp:.4f} bpp {psnr:.2f} dB")
        return ", ".join(lines)
