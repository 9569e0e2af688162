"""From photos to the layers of the latent.

Legend: N photos; h x w cells; R x K blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.analysis import MEANS, Analysis, HyperAnalysis
from progressive.codecs.rmpgc.backbones.hyperprior.channels import (
    BASE,
    BASE_GROUPS,
    CELL,
    CHANNELS,
    FIRST_STAGE,
    GROUPS,
    HYPER_REACH,
    SIDE,
)
from progressive.codecs.rmpgc.backbones.hyperprior.choices import BRIGHTNESS_PRICE, PRICE, Choices
from progressive.codecs.rmpgc.backbones.hyperprior.coding import Coding
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import Quantiser
from progressive.codecs.rmpgc.backbones.hyperprior.tables import BASE_TABLES, ENHANCE_TABLES
from progressive.codecs.rmpgc.backbones.masked.latent import Layer
from progressive.codecs.rmpgc.blocks import from_blocks, to_blocks
from progressive.runtime.precision import fast_floats
from progressive.transforms.cells import CellTransform


class Encoder(nn.Module):
    """Photos -> what the two layers are the rounding of.

    photo ─ linear + analysis ─┬─ base, in coarse steps ─────────┬─> hyperprior
                               ╰─ what it leaves, in fine steps ─┴─> hyperprior
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = CellTransform(CHANNELS, CELL)
        self.quantiser = Quantiser()
        self.analysis = Analysis()
        self.base_hyper = HyperAnalysis(BASE, MEANS)
        self.enhance_hyper = HyperAnalysis(CHANNELS, 0)

    def coefficients(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """RGB in 0..1 [N, 3, 16 h, 16 w] -> the base [N, BASE, h, w] and all [N, CHANNELS, h, w], each in its steps."""
        found = self.linear.analyse(photos).float()
        base, enhance = self.analysis(photos)
        steps = self.quantiser
        return found[:, :BASE] / steps.base.sizes + base, found / steps.enhance.sizes + enhance

    def wanted(self, pixels: Tensor) -> Wanted:
        """Of a photo, RGB in 0..1 [1, 3, H, W]."""
        with fast_floats(pixels.device):
            base, everything = self.coefficients(pixels)
            return Wanted(base, everything, symbols_of(self.base_hyper(base)))


@dataclass(frozen=True)
class Wanted:
    """A photo's coefficients.

    Fields:
        base, everything: of the base and all, each in its steps, [1, BASE, h, w] and [1, CHANNELS, h, w].
        hyper: the base's hyperprior, int16 [1, 8, R, K].
    """

    base: Tensor
    everything: Tensor
    hyper: Tensor


def layers_of(encoder: Encoder, wanted: Wanted, coding: Coding, price: float | None = PRICE) -> list[Layer]:
    """All layers of a photo, int16: indices that are near its coefficients, and cheap as far as `price` asks for it."""
    choices, steps = Choices(coding.tables, price), encoder.quantiser
    base = _base(wanted, coding, choices)
    index = torch.cat(base, 1)
    left = steps.left(wanted.everything, steps.base.expected(index.float()))
    with fast_floats(left.device):
        hyper = symbols_of(encoder.enhance_hyper(left))
    finer = _enhance(hyper, index, left, coding, choices)
    return [[wanted.hyper, *base[:FIRST_STAGE]], base[FIRST_STAGE:], [hyper, *finer]]


def symbols_of(hyper: Tensor) -> Tensor:
    """A hyperprior, rounded."""
    return hyper.round().clamp(-HYPER_REACH, HYPER_REACH).to(torch.int16)


def _base(wanted: Wanted, coding: Coding, choices: Choices) -> list[Tensor]:
    prior, found = coding.priors.base, list[Tensor]()
    features = prior.features(wanted.hyper)
    for number, group in enumerate(BASE_GROUPS):
        if number:
            features = prior.following(number - 1, features, found[-1])
        parameters = prior.parameters_of(number, features)
        own = choices if number or choices.price is None else replace(choices, price=BRIGHTNESS_PRICE)
        found.append(own.choose(BASE_TABLES[number], parameters, wanted.base[:, group]))
    return found


def _enhance(hyper: Tensor, base: Tensor, left: Tensor, coding: Coding, choices: Choices) -> list[Tensor]:
    rows, columns = hyper.shape[2:]
    prior, values, found = coding.priors.enhance, to_blocks(left, SIDE), list[Tensor]()
    features = prior.features(to_blocks(hyper, 1), to_blocks(base, SIDE))
    for number, group in enumerate(GROUPS):
        if number:
            features = prior.following(number - 1, features, found[-1])
        parameters = prior.parameters_of(number, features)
        found.append(choices.choose(ENHANCE_TABLES[number], parameters, values[:, group]))
    return [from_blocks(part, rows, columns) for part in found]
