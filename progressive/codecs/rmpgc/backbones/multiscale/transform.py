"""From a picture to its latent and back: the wavelet, and after each of its levels two learned lifting steps.

The first step takes from the low band what the details say of it, the next takes from the details what the low band
says of them; both are undone exactly, whatever they are, in the reverse order (after Li, Naman and Taubman 2024,
"Exploration of learned lifting-based transform structures", arXiv 2402.18761). Each is a sum of linear filters,
weighted by opacities that a small network reads from the same input. One set of weights serves all levels of luma,
another the opponent colours, which see luma too. An untrained transform is the wavelet.

    photo ─ colours ─ 9/7 ─┬─ low ── minus update(detail) ──┬─> next level, in the end the lowest band
                           └─ detail ── minus predict(low) ─┴─> detail of the level

Legend: N photos; H, W multiples of 64; scale i is [N, CHANNELS[i], H / STRIDES[i], W / STRIDES[i]].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.scales import SCALES
from progressive.runtime.precision import fast_floats
from progressive.transforms import wavelet

DEPTH = SCALES - 1
LIFTED = 5
"""Levels with lifting steps, the finest ones; what is coarser is a few coefficients a block."""

FILTERS, HIDDEN = 24, 24
COLOUR_UPDATE, COLOUR_PREDICTION = (8, 16), (16, 16)
"""Filters and hidden channels of the opponent colours' steps."""

LOUDNESS = 12.0
"""Opacities see the inverse hyperbolic sine of so many times the input, a logarithm of its size."""


class Step(nn.Module):
    """A lifting step, [N, inputs, h, w] -> [N, outputs, h, w]: linear filters, each as much as its opacity says.

    Args:
        inputs, outputs: bands.
        filters: for each output.
        hidden: channels of the network that reads the opacities.
    """

    def __init__(self, inputs: int, outputs: int, filters: int, hidden: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.filters = nn.Conv2d(inputs, outputs * filters, 5, padding=2, bias=False)
        self.opacities = nn.Sequential(
            nn.Conv2d(inputs + 1, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, filters, 1),
            nn.Sigmoid(),
        )
        nn.init.zeros_(self.filters.weight)

    def forward(self, x: Tensor, level: int) -> Tensor:
        """`level` counts from the finest; coefficients double in size from one to the next."""
        if torch.is_grad_enabled():
            return self._filtered(x, level)
        with fast_floats(x.device):
            return self._filtered(x, level).to(x.dtype)

    def _filtered(self, x: Tensor, level: int) -> Tensor:
        seen = torch.cat([_loudness(x / 2**level), torch.full_like(x[:, :1], level / 3 - 1)], 1)
        opacities = self.opacities(seen.contiguous(memory_format=torch.channels_last))
        filtered = self.filters(x.contiguous(memory_format=torch.channels_last))
        # Channels last: [N, h, w, outputs, filters]. A matrix product adds up far faster than a sum.
        each = _last_split(filtered.permute(0, 2, 3, 1), self.outputs)
        weighted = (each * opacities.permute(0, 2, 3, 1)[..., None, :]).flatten(-2)
        adding = torch.eye(self.outputs, device=x.device).repeat_interleave(each.shape[-1], 1)
        return F.linear(weighted, adding.to(weighted.dtype)).permute(0, 3, 1, 2)


class Transform(nn.Module):
    """Photos to latents and back. 3.0 GMAC each way for a photo of 768x512."""

    def __init__(self) -> None:
        super().__init__()
        self.update, self.predict = Step(3, 1, FILTERS, HIDDEN), Step(1, 3, FILTERS, HIDDEN)
        self.colour_update = Step(3, 1, *COLOUR_UPDATE)
        self.colour_predict = Step(5, 3, *COLOUR_PREDICTION)

    def analyse(self, photos: Tensor) -> list[Tensor]:
        """RGB in 0..1, [N, 3, H, W] -> the latent, coarsest scale first."""
        count = len(photos)
        low = _colours_first(wavelet.to_opponent(photos))
        scales: list[Tensor] = []
        for level in range(DEPTH):
            low, detail = wavelet.split(low)
            luma, colours = (low[:count], detail[:count]), (low[count:], detail[count:])
            if level < LIFTED and self._learned:
                lifted = _lift(luma, self.update, self.predict, level)
                if level:
                    colours = self._lift_colours(colours, luma, level)
                luma = lifted
            detail = _by_photo(torch.cat([luma[1], colours[1]]), count)
            scales.insert(0, detail if level else detail[:, :3])
            low = torch.cat([luma[0], colours[0]])
        return [_by_photo(low, count), *scales]

    def synthesise(self, latent: list[Tensor]) -> Tensor:
        """The inverse of `analyse`, but for the opponent colours' finest detail, which the latent does not hold."""
        count = len(latent[0])
        low = _colours_first(latent[0])
        for level, detail in zip(reversed(range(DEPTH)), latent[1:], strict=True):
            bands = _colours_first(detail if level else F.pad(detail, (0, 0, 0, 0, 0, 6)), 3)
            luma, colours = (low[:count], bands[:count]), (low[count:], bands[count:])
            if level < LIFTED and self._learned:
                luma = _unlift(luma, self.update, self.predict, level)
                if level:
                    colours = self._unlift_colours(colours, luma, level)
            low = wavelet.merge(torch.cat([luma[0], colours[0]]), torch.cat([luma[1], colours[1]]))
        return wavelet.to_rgb(_by_photo(low, count))

    @property
    def _learned(self) -> bool:
        return bool(self.update.filters.weight.any() or self.predict.filters.weight.any())

    def _lift_colours(self, colours: Pair, luma: Pair, level: int) -> Pair:
        low, detail = colours
        low = low - self.colour_update(detail, level)
        return low, detail - self.colour_predict(_beside(low, luma), level + 1)

    def _unlift_colours(self, colours: Pair, luma: Pair, level: int) -> Pair:
        low, detail = colours
        detail = detail + self.colour_predict(_beside(low, luma), level + 1)
        return low + self.colour_update(detail, level), detail


def _loudness(x: Tensor) -> Tensor:
    """The inverse hyperbolic sine of `LOUDNESS` times x, of functions that processors have for vectors."""
    size = x.abs() * LOUDNESS
    return torch.log(size + torch.sqrt(size * size + 1)) * torch.sign(x)


def _last_split(x: Tensor, parts: int) -> Tensor:
    split: Tensor = x.unflatten(-1, (parts, -1))  # type: ignore[no-untyped-call]
    return split


Pair = tuple[Tensor, Tensor]
"""The low band [N, 1, h, w] of a level, and its detail [N, 3, h, w]."""


def _lift(bands: Pair, update: Step, predict: Step, level: int) -> Pair:
    low, detail = bands
    low = low - update(detail, level)
    return low, detail - predict(low, level + 1)


def _unlift(bands: Pair, update: Step, predict: Step, level: int) -> Pair:
    low, detail = bands
    detail = detail + predict(low, level + 1)
    return low + update(detail, level), detail


def _beside(low: Tensor, luma: Pair) -> Tensor:
    """The opponent colours' low band and all that is known of luma, for both colours of all photos."""
    return torch.cat([low, luma[0].repeat(2, 1, 1, 1), luma[1].repeat(2, 1, 1, 1)], 1)


def _colours_first(bands: Tensor, each: int = 1) -> Tensor:
    """[N, 3 * each, h, w] -> [3 * N, each, h, w]: all luma, then one opponent colour, then the other."""
    count, _, height, width = bands.shape
    return bands.reshape(count, 3, each, height, width).transpose(0, 1).flatten(0, 1)


def _by_photo(bands: Tensor, count: int) -> Tensor:
    """The inverse of `_colours_first`."""
    return bands.reshape(3, count, *bands.shape[1:]).transpose(0, 1).flatten(1, 2)
