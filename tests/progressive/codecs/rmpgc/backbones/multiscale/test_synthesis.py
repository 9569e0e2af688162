from __future__ import annotations

import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import MISSING, STATES, Synthesis, state_of
from progressive.codecs.rmpgc.layout import BLOCK

LINEAR = torch.rand(1, 3, 3 * BLOCK, 5 * BLOCK, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", autouse=True)
def _without_gradients() -> object:
    with torch.inference_mode():
        yield


def states(value: int) -> Tensor:
    return torch.full((1, 3, 5), value)


def test_every_condition_has_a_state_of_its_own() -> None:
    every = [state_of(scales, 0) for scales in range(SCALES + 1)]
    every += [state_of(SCALES, level) for level in range(1, LEVELS + 1)]
    assert every == list(range(STATES))
    assert state_of(0, 0) == MISSING


def test_an_untrained_network_adds_nothing() -> None:
    for value in (MISSING, STATES - 1):
        assert torch.equal(Synthesis()(LINEAR, states(value)), LINEAR)


def test_what_is_added_depends_on_the_state_of_each_block_and_hardly_on_far_ones(model: Model) -> None:
    plain = model.synthesis(LINEAR, states(3))
    assert not torch.equal(plain, LINEAR)
    changed = states(3)
    changed[0, 1, 4] = 12
    apart = (model.synthesis(LINEAR, changed) - plain).abs().amax(1)[0]
    by_block = apart.reshape(3, BLOCK, 5, BLOCK).amax((1, 3))
    assert int(by_block.argmax()) == 1 * 5 + 4
    assert float(by_block[:, :2].max()) == 0


def test_every_state_makes_another_picture(model: Model) -> None:
    found = {model.synthesis(LINEAR, states(value)).numpy().tobytes() for value in range(STATES)}
    assert len(found) == STATES


def test_photos_of_a_batch_do_not_mix(model: Model) -> None:
    both = torch.cat([LINEAR, 1 - LINEAR])
    each = torch.cat([states(3), states(9)])
    together = model.synthesis(both, each)
    torch.testing.assert_close(together[1:], model.synthesis(both[1:], each[1:]), atol=1e-5, rtol=0)


def test_it_costs_what_it_says() -> None:
    """At most 4.4 billion multiplications for 768x512 pixels."""
    counted = 0

    def count(layer: torch.nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(layer, torch.nn.Conv2d)
        counted += output.numel() * layer.weight[0].numel()

    synthesis = Synthesis()
    for layer in synthesis.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    synthesis(LINEAR, states(1))
    assert 3e9 < counted * 96 / 15 <= 4.4e9
