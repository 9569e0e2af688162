from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from frozen_rmpgc import frozen_model, frozen_tensors
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.model import NETWORKS
from progressive.codecs.rmpgc.backbones.multiscale.probability import (
    BASE_WIDTH,
    MEAN_STEPS,
    ODDS_STEPS,
    ProbabilityNetworks,
    places_of,
)
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS, LEVELS, LUMA, SCALES, TIERS
from progressive.exact.layers import UNIT, layers_of
from progressive.exact.passes import Place

LEVEL = 1
"""Looks, and codes the first tier."""

BLOCKS = 2


@pytest.fixture(scope="module")
def networks(kernel: str) -> ProbabilityNetworks:
    return frozen_model(kernel).coding.networks


def drawn(*shape: int, low: int, high: int) -> Tensor:
    drawn = torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(sum(shape)))
    return drawn.to(torch.int16)


def of_blocks(low: int, high: int, count: int = BLOCKS) -> list[Tensor]:
    return [drawn(count, c, s, s, low=low, high=high) for c, s in zip(CHANNELS, BLOCK_SIDES, strict=True)]


def contexts(count: int = BLOCKS) -> list[Tensor]:
    return [drawn(count, BASE_WIDTH, s, s, low=0, high=255) for s in BLOCK_SIDES]


Pass = tuple[int, int, tuple[tuple[int, int], ...]]
"""Scale, network and corners of a place."""


def key_of(place: Place) -> Pass:
    return place.scale, place.number, place.corners


@dataclass
class Answering:
    """A coder that knows all symbols and keeps the parameters that it is shown."""

    symbols: list[Tensor]
    looks: bool = True
    before: list[Tensor] | None = None
    only: Tensor | None = None
    seen: dict[Pass, Tensor] = field(default_factory=dict)
    look: list[Tensor] = field(default_factory=list)

    def looked(self, scale: int, parameters: Tensor) -> None:
        self.look.append(parameters.clone())

    def known(self, scale: int) -> Tensor:
        return torch.zeros_like(self.symbols[scale]) if self.before is None else self.before[scale]

    def coded(self, scale: int) -> Tensor | None:
        return self.only

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        self.seen[key_of(place)] = parameters.clone()
        return place.coefficients(self.symbols[place.scale])


def base_walk(networks: ProbabilityNetworks, symbols: list[Tensor]) -> Answering:
    coder, before = Answering(symbols), None
    with torch.inference_mode():
        for scale in range(SCALES):
            before = networks.code_base(scale, before, torch.zeros(len(symbols[0]), 1, 1, 1), coder)
            assert before.shape == (len(symbols[0]), BASE_WIDTH, BLOCK_SIDES[scale], BLOCK_SIDES[scale])
    return coder


def level_walk(
    networks: ProbabilityNetworks,
    symbols: list[Tensor],
    *,
    level: int = LEVEL,
    parents: list[Tensor] | None = None,
    before: list[Tensor] | None = None,
    only: Tensor | None = None,
) -> Answering:
    """`only`: the positions of the last scale whose parameters matter."""
    coder = Answering(symbols, looks=(level - 1) % TIERS == 0, before=before, only=only)
    count = len(symbols[0])
    with torch.inference_mode():
        networks.code_level(level, contexts(count), parents or of_blocks(-4, 4, count), coder)
    return coder


def flipped(symbols: list[Tensor], place: Place) -> list[Tensor]:
    """Other symbols at one place."""
    found = [s.clone() for s in symbols]
    place.write_coefficients(1 - place.coefficients(found[place.scale]), found[place.scale])
    return found


WALKS = {"base": base_walk, "level": level_walk}


@pytest.mark.parametrize("scale", [0, 3, SCALES - 1])
@pytest.mark.parametrize("walk", WALKS)
def test_parameters_depend_on_what_was_coded_before_them_and_on_nothing_else(
    networks: ProbabilityNetworks, walk: str, scale: int
) -> None:
    symbols = of_blocks(-1, 1)
    plain = WALKS[walk](networks, symbols)
    order = list(plain.seen)
    for place in places_of(scale, BLOCK_SIDES[scale], BLOCK_SIDES[scale]):
        changed = WALKS[walk](networks, flipped(symbols, place))
        assert list(changed.seen) == order
        differ = [not torch.equal(plain.seen[key], changed.seen[key]) for key in order]
        own = order.index(key_of(place))
        assert not any(differ[: own + 1])
        assert any(differ[own + 1 :]) == (own + 1 < len(order))
        assert all(torch.equal(a, b) for a, b in zip(plain.look, changed.look, strict=True))


def test_a_level_sees_its_number_its_parents_and_the_tier_before(networks: ProbabilityNetworks) -> None:
    symbols = of_blocks(-1, 1)
    plain = level_walk(networks, symbols)
    others = level_walk(networks, symbols, parents=of_blocks(-1, 1))
    assert len(plain.look) == SCALES
    assert not any(torch.equal(a, b) for a, b in zip(plain.look, others.look, strict=True))
    later = level_walk(networks, symbols, level=2)
    told = level_walk(networks, symbols, level=2, before=of_blocks(-1, 1))
    assert not later.look
    walks = [plain, others, later, told, level_walk(networks, symbols, level=LEVELS)]
    for scale in range(SCALES):
        each = {tuple(n for key, t in w.seen.items() if key[0] == scale for n in t.flatten().tolist()) for w in walks}
        assert len(each) == len(walks)


def test_blocks_are_alone(networks: ProbabilityNetworks) -> None:
    """A block's parameters in a batch are its parameters alone."""
    symbols = of_blocks(-1, 1, 5)
    together = level_walk(networks, symbols)
    for one in (0, 3):
        part = slice(one, one + 1)
        alone = Answering([s[part] for s in symbols])
        with torch.inference_mode():
            networks.code_level(LEVEL, [c[part] for c in contexts(5)], [p[part] for p in of_blocks(-4, 4, 5)], alone)
        for key, parameters in alone.seen.items():
            items = max(1, len(key[2]))
            assert torch.equal(parameters, together.seen[key][items * one : items * (one + 1)])
        assert all(torch.equal(a, b[part]) for a, b in zip(alone.look, together.look, strict=True))


def test_kernels_give_the_same_integers(networks: ProbabilityNetworks) -> None:
    reference = frozen_model("float32").coding.networks
    symbols, far = of_blocks(-1, 1), of_blocks(-63, 63)
    for walk in (
        lambda n: base_walk(n, far),
        lambda n: level_walk(n, symbols, parents=far),
        lambda n: level_walk(n, symbols, level=LEVELS),
    ):
        found, expected = walk(networks), walk(reference)
        for key, parameters in expected.seen.items():
            assert torch.equal(found.seen[key], parameters)
            assert torch.equal(parameters, parameters.floor())


@pytest.mark.parametrize("level", [1, 4])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.2])
def test_parameters_are_the_same_where_only_some_of_the_last_scale_are_asked_for(
    networks: ProbabilityNetworks, level: int, share: float
) -> None:
    symbols, before = of_blocks(-1, 1), of_blocks(-1, 1)
    side = BLOCK_SIDES[-1]
    only = torch.rand(BLOCKS, side, side, generator=torch.Generator().manual_seed(level)) < share
    if share:
        only[0, 0, 0] = only[1, side - 1, side - 1] = True
    whole = level_walk(networks, symbols, level=level, before=before)
    some = level_walk(networks, symbols, level=level, before=before, only=only)
    assert list(some.seen) == list(whole.seen)
    places = {key_of(place): place for place in places_of(SCALES - 1, side, side)}
    for key, parameters in whole.seen.items():
        asked = places[key].of(only[:, None])[:, None] if key[0] == SCALES - 1 else 1
        assert torch.equal(some.seen[key], parameters * asked)


def test_training_with_rounding_walks_as_the_codec_does() -> None:
    """Its outputs are those integers, in units of their steps."""
    trained = ProbabilityNetworks()
    for name, layer in layers_of(trained):
        layer.restore(*(frozen_tensors()[f"{NETWORKS}{name}.{part}"] for part in ("weight", "bias", "shift")))
    trained.set_rounding("straight-through")
    exact = frozen_model("float32").coding.networks
    symbols, parents = of_blocks(-1, 1), of_blocks(-4, 4)
    floats = [s.float() for s in symbols]
    base, coded_base = base_walk(trained, [p.float() for p in parents]), base_walk(exact, parents)
    level, coded_level = Answering(floats), level_walk(exact, symbols, parents=parents)
    with torch.inference_mode():
        trained.code_level(LEVEL, [c * UNIT for c in contexts()], [p.float() for p in parents], level)
    for found, expected, steps in ((base, coded_base, MEAN_STEPS), (level, coded_level, ODDS_STEPS)):
        for key, parameters in expected.seen.items():
            assert torch.equal(found.seen[key] * steps, parameters)
    assert all(torch.equal(a * ODDS_STEPS, b) for a, b in zip(level.look, coded_level.look, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (4, 6), (3, 5)])
@pytest.mark.parametrize("scale", [0, 4, SCALES - 1])
def test_places_are_every_coefficient_once_and_luma_comes_first(scale: int, size: tuple[int, int]) -> None:
    times = torch.zeros(1, CHANNELS[scale], *size)
    places = list(places_of(scale, *size))
    for place in places:
        part = place.coefficients(times)
        assert part.numel()
        place.write_coefficients(part + 1, times)
    assert (times == 1).all()
    assert [place.number for place in places] == sorted(place.number for place in places)
    assert [bool(place.corners) for place in places] == [place.channels.start == 0 for place in places]
    assert (places[-1].channels.start == LUMA[scale]) == (CHANNELS[scale] > LUMA[scale])


def test_a_place_reads_what_it_wrote_item_by_item() -> None:
    values, (*_, others, _) = torch.arange(2.0 * CHANNELS[3] * 16).view(2, -1, 4, 4), places_of(3, 4, 4)
    part = others.coefficients(values)
    assert part.shape == (4, LUMA[3], 2, 2)
    assert torch.equal(part[0], values[0, : LUMA[3], ::2, 1::2])
    assert torch.equal(part[3], values[1, : LUMA[3], 1::2, ::2])
    again = torch.zeros_like(values)
    others.write_coefficients(part, again)
    assert torch.equal(others.coefficients(again), part)
    assert int((again != 0).sum()) == int((part != 0).sum())
