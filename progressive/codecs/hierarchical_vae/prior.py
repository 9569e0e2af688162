"""The prior p(z_i | z_<i, gamma) in exact integers: how likely each coefficient's next value is (ResNet VAE Eq. 11).

One network walks the scales from the coarsest to the finest; what differs between scales are biases. gamma comes in as
hat functions, for each position its own. Within a scale coefficients are coded in passes, each of which sees the ones
before: luma at one corner of each 2x2 square, at the opposite one, at the other two; then the opponent colours. The
first latent sees a whole tile; all others see one block and what the first says of it.

All layers are exact (`progressive.exact.layers`); inputs and outputs are integers there, multiples of `UNIT` in
training.

Legend: N tiles or blocks; C coefficients, h x w positions of a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.hierarchical_vae.latents import COLOURS, LUMA, SCALES, STRIDES, Latent
from progressive.codecs.hierarchical_vae.rates import HATS, UNITS, hats
from progressive.exact.layers import MAX_ACTIVATION, UNIT, Conv, Residual, layers_of
from progressive.exact.passes import COLOUR, FIRST, Place, luma_places

WIDTH = 32
SEEN, HIDDEN = 24, 48
"""Widths inside a pass: of what it sees of the scale's coefficients, and of all that it knows."""

BANDS = 3
LUMA_SEEN, COLOURS_SEEN = 2 * BANDS, 4 * BANDS

PARAMETERS = 2
STEPS = 8
"""Output integers a bin of the mean (of the lowest band: a unit), and an octave of the scale."""

SIZE_OF_ONE = 64
LARGEST_SEEN = 17
"""Indices look alike from here on."""


def places_of(scale: int, height: int, width: int) -> Iterator[Place]:
    """The passes over luma of a scale of this many positions, in order."""
    return luma_places(scale, LUMA[scale], height, width)


PassCoder = Callable[[Place, Tensor], Tensor]
"""Codes one pass: (its place, parameters [N, 2, C, h, w]) -> the indices there, [N, C, h, w].

Parameters are (mean, logarithm to base two of the scale) of a distribution over indices; the mean of the lowest band is
in photo values, as the wavelet scales them.
"""


class Pass(nn.Module):
    """Parameters of the coefficients of one pass. Argument: which network; one for the opponent colours sees all."""

    def __init__(self, number: int) -> None:
        super().__init__()
        coefficients = 2 * BANDS if number == COLOUR else BANDS
        seen = {FIRST: 0, COLOUR: LUMA_SEEN + COLOURS_SEEN}.get(number, LUMA_SEEN)
        self.see = Conv(seen, SEEN, 3) if seen else None
        self.hidden = Conv(WIDTH + HATS + (SEEN if seen else 0), HIDDEN, kinds=SCALES)
        self.out = Conv(HIDDEN, PARAMETERS * coefficients, kinds=SCALES, scale=STEPS, activation=False)
        with torch.no_grad():
            self.out.weight.mul_(0.3)

    def forward(self, place: Place, features: Tensor, seen: Tensor | None) -> Tensor:
        """Features with hats at the place, what is seen of the scale -> parameters [N * items, 2, C, h', w']."""
        known = [features] if self.see is None or seen is None else [features, place.of(self.see(seen))]
        output = self.out(self.hidden(_joined(known), place.scale), place.scale)
        split = torch.unflatten(output, 1, (PARAMETERS, -1))
        return split if place.scale else split[:, :, ::BANDS]


class Prior(nn.Module):
    """The network that walks the latents.

    carried, hats ─ enter ─ body ─> features ─┬─ passes of luma ─┬─ pass of colours ─┬─ leave ─ up ─> carried
                                              ╰──────────────────┴───────────────────╯
    """

    def __init__(self) -> None:
        super().__init__()
        self.enter = Conv(WIDTH + HATS, WIDTH, kinds=SCALES)
        self.body = Residual(WIDTH)
        self.passes = nn.ModuleList([Pass(number) for number in range(COLOUR + 1)])
        self.leave = Conv(WIDTH + LUMA_SEEN + COLOURS_SEEN, WIDTH, kinds=SCALES)
        self.up = Conv(WIDTH, 4 * WIDTH)
        self.kernel = "training"

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def use(self, kernel: str) -> None:
        """Chooses how a frozen network computes (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        for _, layer in layers_of(self):
            layer.use(kernel)

    def code(self, latent: Latent, carried: Tensor | None, gammas: Sequence[Tensor], code: PassCoder) -> Tensor:
        """Codes one latent.

        Args:
            carried: what this returned for the latent before; None for the first.
            gammas: of the positions of every scale, uint8 [N, h, w] each.
            code: codes a pass.
        Returns:
            what the next latent needs: the features of its scale, or those of this one with luma as it is seen.
        """
        for scale in latent.scales:
            known = self._input(hats(gammas[scale]))
            if latent.luma:
                features = self._features(scale, carried, known)
                luma = self._code_luma(scale, features, known, gammas[scale], code)
                if not latent.ends_scale:
                    return _joined([features, luma])
            else:
                assert carried is not None
                features, luma = torch.split(carried, [WIDTH, LUMA_SEEN], 1)
            if scale == SCALES - 1:
                return features
            colours = self._code_colours(scale, features, luma, known, gammas[scale], code)
            carried = self._carried(scale, self.leave(_joined([features, luma, colours]), scale))
        assert carried is not None
        return carried

    def ready(self, context: Tensor) -> Tensor:
        """What `code` returned for some items, kept as bytes, as it takes it."""
        return self._input(context)

    def _features(self, scale: int, carried: Tensor | None, known: Tensor) -> Tensor:
        if carried is None:
            carried = self._blank(known, WIDTH)
        features: Tensor = self.body(self.enter(_joined([carried, known]), scale))
        return features

    def _code_luma(self, scale: int, features: Tensor, known: Tensor, gammas: Tensor, code: PassCoder) -> Tensor:
        everything = _joined([features, known])
        seen = self._blank(features, LUMA_SEEN)
        for place in places_of(scale, *features.shape[2:]):
            parameters = self.passes[place.number](place, place.of(everything), seen)
            indices = code(place, parameters)
            # Autograd keeps what a pass has seen.
            seen = seen.clone(memory_format=torch.channels_last) if seen.requires_grad or self.training else seen
            place.write(self._described(indices, scale, place.of(gammas[:, None])), seen)
        return seen

    def _code_colours(
        self, scale: int, features: Tensor, luma: Tensor, known: Tensor, gammas: Tensor, code: PassCoder
    ) -> Tensor:
        place = Place(scale, slice(LUMA[scale], LUMA[scale] + COLOURS[scale]), COLOUR)
        seen = _joined([luma, self._blank(luma, COLOURS_SEEN)])
        indices = code(place, self.passes[COLOUR](place, _joined([features, known]), seen))
        return self._described(indices, scale, gammas[:, None])

    def _carried(self, scale: int, after: Tensor) -> Tensor:
        """What a scale hands to the next one, [N, W, h', w']."""
        if STRIDES[scale] == STRIDES[scale + 1]:
            return after
        return _last(F.pixel_shuffle(self.up(after), 2))

    def _described(self, indices: Tensor, scale: int, gammas: Tensor) -> Tensor:
        """Indices as inputs, [N, 6 or 12, h, w]: sizes of those above zero, of those below.

        A logarithm, roughly, of the size; of the lowest band four for each photo value, as it is scaled.
        """
        size = indices.abs().to(torch.int32)
        if scale:
            size = size.clamp_(max=LARGEST_SEEN)
            size = torch.minimum(size * SIZE_OF_ONE, size * 10 + 88)
        else:
            size = size * UNITS.to(size.device, torch.int32)[gammas.long()] // 16
        size = size.clamp_(max=MAX_ACTIVATION)
        signed = torch.cat([size * (indices > 0), size * (indices < 0)], 1)
        if not scale:  # one a colour
            signed = F.pad(signed[:, :, None], (0, 0, 0, 0, 0, BANDS - 1)).flatten(1, 2)
        return self._input(signed)

    def _input(self, integers: Tensor) -> Tensor:
        if self.kernel == "training":
            return _last(integers.to(torch.float32) * UNIT)
        return _last(integers.to(torch.uint8 if self.kernel == "int8" else torch.float32))

    def _blank(self, like: Tensor, channels: int) -> Tensor:
        return _last(torch.zeros(len(like), channels, *like.shape[2:], device=like.device, dtype=like.dtype))


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else _last(torch.cat(list(tensors), 1))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
