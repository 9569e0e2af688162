"""Probability networks: what has been decoded says how likely each next symbol is.

Both networks walk the scales from the coarsest to the finest with one set of weights; what differs between scales,
planes and tiers are biases. The **base** sees what it has coded. The **planes** look at one block at a time: at the
base's features, the block's indices so far, the plane's symbols that are known. Before a plane begins, a **look** at
what is known of it says which symbols come first.

Within a scale symbols are coded in passes, each of which sees the ones before: luma at one corner of each 2x2 square,
at the opposite one, at the other two, then the opponent colours. All scales are seen as nine bands, three of each
colour; bands that a scale lacks are zero.

All layers are exact (`layers`); inputs and outputs are integers there, multiples of `UNIT` in training.

Legend: N tiles or blocks; h x w positions; P parameters a coefficient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.scales import COLOUR_CHANNELS, LEVELS, PLANES, SCALES, STRIDES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.sparse import (
    Spots,
    grown,
    spots_of,
    spread,
    through,
    through_residual,
)
from progressive.exact.layers import MAX_ACTIVATION, UNIT, Conv, Residual, layers_of
from progressive.exact.passes import COLOUR, Place, luma_places, one_after_the_other

BASE_WIDTH, PLANE_WIDTH, LOOK_WIDTH = 32, 48, 48
SEEN, HIDDEN = 24, 48
"""Widths inside a pass: of what it sees of the scale's symbols, and of all that it knows."""

COLOURS, BANDS = 3, 3
SLOTS = COLOURS * BANDS

BASE_PARAMETERS, PLANE_PARAMETERS, LOOK_PARAMETERS = 2, 4, 2
MEAN_STEPS = SCALE_STEPS = 8
"""Base: indices a bin width of the mean, and a factor e of the scale."""

ODDS_STEPS = 4
"""Planes: indices a nat of log-odds."""

LOWEST_GAIN = 7
"""How many integers an index of the base's lowest band stands for as an input."""

FEW = 0.35
"""Where a smaller share of the positions of the last scale has coefficients to code, only what is around them is
computed: that is faster then."""

SIZE_OF_ONE = 64
LARGEST_SEEN = 17
"""Indices look alike from here on."""


def places_of(scale: int, height: int, width: int) -> Iterator[Place]:
    """The passes over a scale of this many positions, in order."""
    luma, *colours = COLOUR_CHANNELS[scale]
    yield from luma_places(scale, luma, height, width)
    if any(colours):
        yield Place(scale, slice(luma, luma + sum(colours)), COLOUR)


PassCoder = Callable[[Place, Tensor], Tensor]
"""Codes one pass: (its place, parameters [N, P, bands, h, w]) -> all symbols known there then, [N, bands, h, w]."""

Describe = Callable[[Tensor], Tensor]
"""Symbols of luma or of both opponent colours [N, bands, h, w] -> what networks see of them, [N, 6 or 12, h, w]."""


class LevelCoder(Protocol):
    """Codes one level of some blocks."""

    @property
    def looks(self) -> bool:
        """Whether it wants the look, which is for the first tier."""
        ...

    def looked(self, scale: int, parameters: Tensor) -> None:
        """Told before the first tier of a scale what the look says of its coefficients, [N, 2, C, h, w]."""
        ...

    def known(self, scale: int) -> Tensor | None:
        """The plane's symbols of a scale that are known before the level, zero elsewhere, [N, C, h, w]; None: none."""
        ...

    def coded(self, scale: int) -> Tensor | None:
        """The positions of a scale whose parameters matter, bool [N, h, w]; None for all."""
        ...

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        """A `PassCoder`."""
        ...


class Pass(nn.Module):
    """Parameters of the coefficients of one pass.

    Args:
        width: channels of the features.
        number: which network: one for luma sees luma, that for the opponent colours all.
        parameters, steps, kinds: as for `Walk`.
    """

    def __init__(self, width: int, number: int, parameters: int, steps: int, kinds: int) -> None:
        super().__init__()
        self.parameters_each = parameters
        colours, bands = (SLOTS, SLOTS - BANDS) if number == COLOUR else (BANDS, BANDS)
        self.see = Conv(2 * colours, SEEN, 3)
        self.hidden = Conv(width + SEEN, HIDDEN, kinds=kinds)
        self.out = Conv(HIDDEN, parameters * bands, kinds=kinds, scale=steps, activation=False)
        with torch.no_grad():
            self.out.weight.mul_(0.3)

    def forward(self, place: Place, features: Tensor, seen: Tensor, kind: int) -> Tensor:
        """Features at the place and described symbols [N, 6 or 18, h, w] -> parameters [N * items, P, B, h', w']."""
        symbols = place.of(self.see(seen))
        output = self.out(self.hidden(_joined([features, symbols]), kind), kind)
        return _split(output, self.parameters_each, -1)

    def of_rows(self, features: Tensor, around: Tensor, kind: int) -> Tensor:
        """Features and symbols around some positions, [M, W] and [M, 9 * 6 or 9 * 18] -> parameters, [M, P * B]."""
        seen = through(self.see, around)
        return through(self.out, through(self.hidden, torch.cat([features, seen], 1), kind), kind)


class Walk(nn.Module):
    """Features of one scale after another, and the passes over each.

    Args:
        inputs: channels that are given at each scale.
        width: channels of the features.
        parameters: outputs a coefficient.
        steps: output integers a unit of each parameter.
        kinds: how many biases there are to choose from.
    """

    def __init__(self, inputs: int, width: int, parameters: int, steps: int, kinds: int) -> None:
        super().__init__()
        self.width = width
        self.enter = Conv(inputs + width, width, kinds=kinds)
        self.body = Residual(width)
        self.passes = nn.ModuleList([Pass(width, number, parameters, steps, kinds) for number in range(COLOUR + 1)])
        self.leave = Conv(width + 2 * SLOTS, width, kinds=kinds)
        self.up = Conv(width, 4 * width)

    def features(self, inputs: Sequence[Tensor], carried: Tensor, kind: int) -> Tensor:
        """What is known of a scale before its symbols, [N, W, h, w]."""
        features: Tensor = self.body(self.enter(_joined([*inputs, carried]), kind))
        return features

    def code(
        self, scale: int, features: Tensor, seen: Tensor, kind: int, code: PassCoder, describe: Describe
    ) -> Tensor:
        """Runs the passes over a scale.

        Args:
            seen: its known symbols, described, [N, 18, h, w].
            code: what is done with the parameters.
            describe: how symbols of one colour are seen.
        Returns:
            all its symbols, described.
        """
        luma, colours = torch.split(seen, [2 * BANDS, 4 * BANDS], 1)
        luma = luma.clone(memory_format=torch.channels_last)
        corners = _corners(features)
        for place in places_of(scale, *features.shape[2:]):
            network = self.passes[place.number]
            if place.corners:
                here = [corners[top][left] for top, left in place.corners]
                at = here[0] if len(here) == 1 else one_after_the_other(here)
                symbols = code(place, _present(network(place, at, luma, kind), scale))
                if torch.is_grad_enabled():  # autograd keeps what a pass has seen
                    luma = luma.clone(memory_format=torch.channels_last)
                place.write(describe(symbols), luma)
            else:
                everything = _joined([luma, colours])
                symbols = code(place, _present(network(place, features, everything, kind), scale))
                colours = describe(symbols)
        return torch.cat([luma, colours], 1)

    def code_around(
        self,
        coded: Tensor,
        scale: int,
        inputs: Sequence[Tensor],
        seen: Tensor,
        kind: int,
        code: PassCoder,
        describe: Describe,
    ) -> None:
        """As `features` and `code` for the last scale, which has luma alone, but only around some positions.

        Args:
            coded: those, bool [N, h, w]; parameters are zero elsewhere.
            inputs: all that `features` takes, with what is carried.
        """
        entered = Spots.where(grown(grown(coded)))
        rows = through(self.enter, torch.cat([entered.rows_of(t) for t in inputs], 1), kind)
        features = torch.zeros_like(coded, dtype=torch.int64)
        features[coded] = torch.arange(int(coded.sum()), device=coded.device)
        features, known = features.flatten(), through_residual(self.body, rows, entered, coded)
        luma = F.pad(seen[:, : 2 * BANDS], (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()
        for place in places_of(scale, *coded.shape[1:]):
            network = cast(Pass, self.passes[place.number])
            spots, at = spots_of(place, coded)
            parameters = network.of_rows(known[features[spots.inside]], spots.around(luma), kind)
            whole = spread(parameters, at, place.of(coded[:, None]).squeeze(1).shape)
            symbols = code(place, _split(whole, network.parameters_each, -1))
            place.write(describe(symbols), luma[:, 1:-1, 1:-1].permute(0, 3, 1, 2))

    def after(self, features: Tensor, seen: Tensor, kind: int) -> Tensor:
        """What is known of a scale with its symbols, [N, W, h, w]."""
        after: Tensor = self.leave(_joined([features, seen]), kind)
        return after

    def carried(self, scale: int, after: Tensor) -> Tensor:
        """What a scale hands to the next one, [N, W, h', w']."""
        if STRIDES[scale] == STRIDES[scale + 1]:
            return after
        return _last(F.pixel_shuffle(self.up(after), 2))


class ProbabilityNetworks(nn.Module):
    """All of them: 0.28 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Walk(0, BASE_WIDTH, BASE_PARAMETERS, MEAN_STEPS, SCALES)
        given = 2 * SLOTS + SLOTS + BASE_WIDTH
        self.look = nn.ModuleList(
            [
                Conv(given, LOOK_WIDTH, kinds=SCALES * PLANES),
                Conv(LOOK_WIDTH, LOOK_WIDTH, 3),
                Conv(
                    LOOK_WIDTH,
                    LOOK_PARAMETERS * SLOTS,
                    kinds=SCALES * PLANES,
                    scale=ODDS_STEPS,
                    activation=False,
                ),
            ]
        )
        self.planes = Walk(given + 2 * SLOTS, PLANE_WIDTH, PLANE_PARAMETERS, ODDS_STEPS, SCALES * LEVELS)
        self.kernel = "training"

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        for _, layer in layers_of(self):
            layer.rounding = rounding

    def use(self, kernel: str) -> None:
        """Chooses how frozen networks compute (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.kernel = kernel
        for _, layer in layers_of(self):
            layer.use(kernel)

    def code_base(self, scale: int, before: Tensor | None, like: Tensor, code: PassCoder) -> Tensor:
        """Codes the base of one scale.

        Args:
            before: what this returned for the scale before; None for the first.
            like: any tensor of the tile's blocks, [N, C, rows, columns].
            code: codes a pass; parameters are (mean, log of the scale).
        Returns:
            the features of the scale with its symbols, [N, BASE_WIDTH, h, w].
        """
        walk = self.base
        carried = self._blank(like, walk.width) if before is None else walk.carried(scale - 1, before)
        features = walk.features([], carried, scale)
        seen = self._blank(carried, 2 * SLOTS)

        def describe(symbols: Tensor) -> Tensor:
            return self._described(symbols, lowest=scale == 0)

        return walk.after(features, walk.code(scale, features, seen, scale, code, describe), scale)

    def code_level(self, level: int, contexts: list[Tensor], parents: list[Tensor], coder: LevelCoder) -> None:
        """Codes a level of N blocks.

        Args:
            level: 1..LEVELS.
            contexts: the base's features at the blocks, all scales [N, BASE_WIDTH, s, s].
            parents: their indices of the plane before, all scales [N, C, s, s].
            coder: codes the passes; parameters are the log-odds of (a symbol that is not zero, plus) if the parent bin
                is zero, then of (one that is not zero, outward) if it is not; the last means nothing in halves.
        """
        seen = [self._seen(n, scale) for scale, n in enumerate(parents)]
        given = [[self._ready(c), *known] for c, *known in zip(contexts, seen, self._below(seen), strict=True)]
        if coder.looks:
            self._look((level - 1) // TIERS, given, coder)
        walk, carried = self.planes, self._blank(contexts[0], self.planes.width)
        for scale, inputs in enumerate(given):
            kind = scale * LEVELS + level - 1
            symbols = coder.known(scale)
            known = self._blank(carried, 2 * SLOTS) if symbols is None else self._seen(symbols, scale)
            coded = coder.coded(scale) if scale == SCALES - 1 else None
            if coded is not None and coded.float().mean() < FEW:
                walk.code_around(coded, scale, [*inputs, known, carried], known, kind, coder, self._described)
                break
            features = walk.features([*inputs, known], carried, kind)
            known = walk.code(scale, features, known, kind, coder, self._described)
            if scale < SCALES - 1:
                carried = walk.carried(scale, walk.after(features, known, kind))

    def _look(self, plane: int, given: list[list[Tensor]], coder: LevelCoder) -> None:
        enter, body, leave = self.look
        for scale, inputs in enumerate(given):
            kind = scale * PLANES + plane
            output = leave(body(enter(_joined(inputs), kind)), kind)
            coder.looked(scale, _all_present(_split(output, LOOK_PARAMETERS, SLOTS), scale))

    def _seen(self, values: Tensor, scale: int) -> Tensor:
        """All coefficients of a scale, described, [N, 18, h, w]: luma, then the opponent colours."""
        luma, *colours = COLOUR_CHANNELS[scale]
        parts = [self._described(values[:, :luma])]
        if any(colours):
            return _joined([*parts, self._described(values[:, luma:])])
        return _last(F.pad(parts[0], (0, 0, 0, 0, 0, 2 * (SLOTS - BANDS))))

    def _described(self, values: Tensor, *, lowest: bool = False) -> Tensor:
        """Integers of one or two colours as inputs, [N, 6 or 12, h, w]: sizes of those above zero, of those below."""
        if values.dtype == torch.int8:  # a plane's symbols are -1, 0 and 1
            signed = _joined([values, -values]).clamp_(min=0).view(torch.uint8).mul_(SIZE_OF_ONE)
        else:
            signed = _signed_sizes(values, lowest=lowest)
        if values.shape[1] % BANDS:  # the lowest band, one a colour
            signed = F.pad(signed[:, :, None], (0, 0, 0, 0, 0, BANDS - 1)).flatten(1, 2)
        return self._input(signed)

    def _below(self, seen: list[Tensor]) -> list[Tensor]:
        """What the next finer scale has at each position of a scale, [N, 9, h, w]: mean sizes; zero for the finest."""
        found = []
        for scale, here in enumerate(seen):
            if scale == SCALES - 1:
                found.append(self._blank(here, SLOTS))
                continue
            finer = seen[scale + 1]
            luma = finer[:, :BANDS] + finer[:, BANDS : 2 * BANDS]
            sizes = torch.cat([luma, finer[:, 2 * BANDS : 4 * BANDS] + finer[:, 4 * BANDS :]], 1)
            if STRIDES[scale] != STRIDES[scale + 1]:
                sizes = self._means(sizes)
            found.append(_last(sizes.to(here.dtype)))
        return found

    def _means(self, sizes: Tensor) -> Tensor:
        """Of each 2x2 square, rounded down."""
        if self.kernel != "int8":
            unit = UNIT if self.kernel == "training" else 1
            return (F.avg_pool2d(sizes.float(), 2) / unit).floor_() * unit
        rows = sizes.to(torch.int16)
        rows = rows[:, :, ::2] + rows[:, :, 1::2]
        return (rows[:, :, :, ::2] + rows[:, :, :, 1::2]) >> 2

    def _ready(self, context: Tensor) -> Tensor:
        return context if self.kernel == "training" else _last(self._input(context))

    def _input(self, integers: Tensor) -> Tensor:
        inputs = integers.to(self._dtype)
        return inputs * UNIT if self.kernel == "training" else inputs

    @property
    def _dtype(self) -> torch.dtype:
        """Of what networks see."""
        if self.kernel == "training":
            return torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        return torch.uint8 if self.kernel == "int8" else torch.float32

    def _blank(self, like: Tensor, channels: int) -> Tensor:
        shape = len(like), channels, *like.shape[2:]
        blank = torch.empty(shape, dtype=self._dtype, device=like.device, memory_format=torch.channels_last)
        return blank.zero_()


def _signed_sizes(values: Tensor, *, lowest: bool) -> Tensor:
    """A logarithm, roughly, of the size of integers, as integers 0..255: of those above zero, then of those below.

    Those of the base's lowest band are as they are but for a factor.
    """
    size = values.abs()
    if lowest:
        size = (size * LOWEST_GAIN).clamp_(max=MAX_ACTIVATION)
    else:
        size = size.clamp_(max=LARGEST_SEEN)
        size = torch.minimum(size * SIZE_OF_ONE, (size * 10).add_(88)).clamp_(max=MAX_ACTIVATION)
    above = size * (values > 0)
    return _joined([above, size * (values < 0)])


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side, in channels_last order whatever theirs is."""
    if len(tensors) == 1:
        return tensors[0]
    rows = [t.permute(0, 2, 3, 1) for t in tensors]
    return torch.cat(rows, 3).permute(0, 3, 1, 2)


def _split(x: Tensor, *sizes: int) -> Tensor:
    """The second dimension as several."""
    split: Tensor = x.unflatten(1, sizes)  # type: ignore[no-untyped-call]
    return split


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _corners(features: Tensor) -> list[list[Tensor]]:
    """Those of each 2x2 square, [top][left] -> [N, W, h', w']; cut at once, for what autograd makes of it."""
    height, width = features.shape[2:]
    if height % 2 or width % 2:
        return [[features[:, :, top::2, left::2] for left in (0, 1)] for top in (0, 1)]
    rows = _split(features.permute(0, 2, 3, 1), -1, 2).unbind(2)
    squares = [_split(row.transpose(1, 2), -1, 2).unbind(2) for row in rows]  # [N, w', h', W] each
    return [[part.permute(0, 3, 2, 1) for part in row] for row in squares]


def _present(parameters: Tensor, scale: int) -> Tensor:
    """Of the three bands of each colour those that a scale has; the lowest band is one a colour."""
    return parameters if scale else parameters[:, :, ::BANDS]


def _all_present(parameters: Tensor, scale: int) -> Tensor:
    """Of all nine bands [N, P, 9, h, w] those that a scale has."""
    finest = COLOUR_CHANNELS[scale][1:] == (0, 0)
    return parameters[:, :, :BANDS] if finest else _present(parameters, scale)
