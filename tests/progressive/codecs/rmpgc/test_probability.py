from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.layers import layers_of
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, CHANNELS, LUMA, SCALES
from progressive.codecs.rmpgc.probability import CARRIED, CHAIN_WIDTHS, ProbabilityNetworks


@pytest.fixture(scope="module")
def networks() -> ProbabilityNetworks:
    """In exact arithmetic, with random weights."""
    torch.manual_seed(0)
    made = ProbabilityNetworks()
    for name, layer in layers_of(made):
        layer.freeze(layer.integers(), name)
    made.exact = True
    return made.eval()


def drawn(*shape: int, low: int, high: int) -> Tensor:
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(sum(shape))).float()


def answering(symbols: Tensor, luma: int, seen: list[Tensor]) -> Callable[[int, Tensor], Tensor]:
    """A pass coder that knows the symbols and keeps the parameters it is shown."""

    def code(number: int, parameters: Tensor) -> Tensor:
        seen.append(parameters)
        if number == 2:
            return symbols[:, luma:]
        rows, columns = (torch.arange(n) for n in symbols.shape[2:])
        return symbols[:, :luma] * ((rows[:, None] + columns) % 2 == number)

    return code


def plane_parameters(networks: ProbabilityNetworks, scale: int, symbols: Tensor, context: Tensor) -> list[Tensor]:
    seen: list[Tensor] = []
    parents = drawn(len(symbols), *symbols.shape[1:], low=-2, high=2)
    carried = drawn(len(symbols), CARRIED, *symbols.shape[2:], low=0, high=255) if scale else None
    with torch.inference_mode():
        coded, _ = networks.code_plane(1, scale, context, parents, carried, answering(symbols, LUMA[scale], seen))
    assert torch.equal(coded, symbols)
    return seen


@pytest.mark.parametrize("scale", range(1, SCALES))
def test_parameters_depend_only_on_what_has_been_coded(networks: ProbabilityNetworks, scale: int) -> None:
    side, luma = BLOCK_SIDES[scale], LUMA[scale]
    symbols = drawn(1, CHANNELS[scale], side, side, low=-1, high=1)
    context = drawn(1, CHAIN_WIDTHS[scale], side, side, low=0, high=255)
    before = plane_parameters(networks, scale, symbols, context)
    on_first = (torch.arange(side)[:, None] + torch.arange(side)) % 2 == 0
    second, chroma = symbols.clone(), symbols.clone()
    second[:, :luma][:, :, ~on_first] *= -1
    chroma[:, luma:] *= -1
    after_second = plane_parameters(networks, scale, second, context)
    assert torch.equal(after_second[0], before[0])
    assert torch.equal(after_second[1], before[1])
    assert not torch.equal(after_second[2], before[2])
    assert all(
        torch.equal(a, b) for a, b in zip(plane_parameters(networks, scale, chroma, context), before, strict=True)
    )


@pytest.mark.parametrize("scale", range(SCALES))
def test_blocks_are_alone(networks: ProbabilityNetworks, scale: int) -> None:
    """A block's parameters in a batch are its parameters alone."""
    side = BLOCK_SIDES[scale]
    symbols = drawn(1, CHANNELS[scale], side, side, low=-1, high=1).expand(3, -1, -1, -1)
    context = drawn(1, CHAIN_WIDTHS[scale], side, side, low=0, high=255).expand(3, -1, -1, -1)
    parents = drawn(3, CHANNELS[scale], side, side, low=-2, high=2)
    carried = drawn(3, CARRIED, side, side, low=0, high=255) if scale else None
    together: list[Tensor] = []
    alone: list[Tensor] = []
    with torch.inference_mode():
        networks.code_plane(2, scale, context, parents, carried, answering(symbols, LUMA[scale], together))
        one = slice(1, 2)
        networks.code_plane(
            2,
            scale,
            context[one],
            parents[one],
            None if carried is None else carried[one],
            answering(symbols[one], LUMA[scale], alone),
        )
    assert all(torch.equal(a[one], b) for a, b in zip(together, alone, strict=True))


def test_the_chain_sees_the_scales_before_and_contexts_all_of_them(networks: ProbabilityNetworks) -> None:
    def chain(change: int | None) -> tuple[list[Tensor], list[Tensor]]:
        features: list[Tensor] = []
        first: list[Tensor] = []
        like = torch.zeros(1, 1, 2, 2)
        with torch.inference_mode():
            for scale in range(SCALES):
                index = drawn(1, CHANNELS[scale], 2 << scale, 2 << scale, low=-3, high=3)
                if scale == change:
                    index = -index
                seen: list[Tensor] = []
                before = networks.chain_features(scale, features[-1] if features else None, like)
                features.append(networks.code_base(scale, before, answering(index, LUMA[scale], seen))[1])
                first.append(seen[0])
            return first, networks.contexts(features)

    parameters, contexts = chain(None)
    changed, changed_contexts = chain(3)
    assert [torch.equal(a, b) for a, b in zip(parameters, changed, strict=True)] == [True, True, True, True, False]
    assert not any(torch.equal(a, b) for a, b in zip(contexts, changed_contexts, strict=True))
    for context, width in zip(contexts, CHAIN_WIDTHS, strict=True):
        assert context.shape[1] == width
        assert (context == context.floor()).all()
        assert 0 <= context.min() <= context.max() <= 255
