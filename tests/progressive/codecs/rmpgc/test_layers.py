from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.layers import (
    MAX_ACTIVATION,
    MAX_WEIGHT,
    UNIT,
    Depthwise,
    Layer,
    Mix,
    Pointwise,
    layers_of,
)
from progressive.errors import UsageError


def integers(layer: Layer, seed: int) -> dict[str, Tensor]:
    """Any weights that a file may hold."""
    random = torch.Generator().manual_seed(seed)
    outputs = len(layer.bias)
    return {
        "weight": torch.randint(-MAX_WEIGHT, MAX_WEIGHT + 1, layer.weight.shape, generator=random).to(torch.int8),
        "bias": torch.randint(-50_000, 50_001, (outputs,), generator=random).to(torch.int32),
        "shift": torch.randint(6, 15, (outputs,), generator=random).to(torch.uint8),
    }


def frozen(module: nn.Module, seed: int = 0) -> nn.Module:
    for number, (name, layer) in enumerate(layers_of(module)):
        layer.freeze(integers(layer, seed + number), name)
    return module.eval()


def activations(*shape: int) -> Tensor:
    return torch.randint(0, MAX_ACTIVATION + 1, shape, generator=torch.Generator().manual_seed(3)).float()


def networks() -> nn.Module:
    return frozen(
        nn.Sequential(Pointwise(40, 32), Depthwise(32), Mix(32), Pointwise(32, 24, scale=8, activation=False))
    )


@torch.inference_mode()
def test_integers_stay_the_same_in_any_arithmetic_batch_and_layout() -> None:
    module, x = networks(), activations(5, 40, 9, 7)
    expected = module(x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(expected, expected.floor())
    assert len(expected.unique()) > 50
    assert torch.equal(module(x.contiguous()), expected)
    assert torch.equal(torch.cat([module(one[None]) for one in x]), expected)
    assert torch.equal(networks().double()(x.double()), expected.double())


@torch.inference_mode()
def test_a_layer_is_an_integer_sum_a_shift_and_a_clip() -> None:
    layer = Pointwise(40, 32)
    stored = integers(layer, 5)
    layer.freeze(stored, "layer")
    x = activations(2, 40, 3, 4)
    sums = torch.einsum("oc,nchw->nohw", stored["weight"].flatten(1).long(), x.long())
    shift = stored["shift"].long()
    rounded = (sums + (stored["bias"].long() + (1 << shift) // 2).view(-1, 1, 1)) >> shift.view(-1, 1, 1)
    assert torch.equal(layer(x).long(), rounded.clamp(0, MAX_ACTIVATION))


@torch.inference_mode()
def test_one_unit_of_one_weight_is_seen() -> None:
    x = activations(4, 40, 8, 8)
    plain, changed = Pointwise(40, 32), Pointwise(40, 32)
    stored = integers(plain, 5)
    plain.freeze(stored, "layer")
    stored["weight"] = stored["weight"].clone()
    stored["weight"][3, 7] += 1 if stored["weight"][3, 7] < MAX_WEIGHT else -1
    changed.freeze(stored, "layer")
    assert not torch.equal(plain(x), changed(x))


@pytest.mark.parametrize(
    ("part", "value"),
    [("weight", MAX_WEIGHT), ("bias", 2**24), ("bias", -(2**24)), ("shift", 25), ("shift", 0)],
)
def test_weights_that_could_leave_the_exact_range_are_refused(part: str, value: int) -> None:
    layer = Pointwise(520, 8)
    stored = {
        "weight": torch.zeros(8, 520, 1, 1, dtype=torch.int8),
        "bias": torch.zeros(8, dtype=torch.int32),
        "shift": torch.full((8,), 10, dtype=torch.uint8),
    }
    layer.freeze(stored, "fine")
    stored[part] = torch.full_like(stored[part], value)
    with pytest.raises(UsageError, match=r"the weights of context\.3 exceed the range"):
        Pointwise(520, 8).freeze(stored, "context.3")


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match="wrong shape"):
        Pointwise(41, 32).freeze(integers(Pointwise(40, 32), 0), "layer")


@torch.inference_mode()
def test_the_exact_layer_computes_what_training_with_rounding_did() -> None:
    torch.manual_seed(0)
    trained, exact = Pointwise(40, 32), Pointwise(40, 32)
    trained.bias.normal_()
    trained.rounding = "straight-through"
    exact.freeze(trained.integers(), "layer")
    x = activations(2, 40, 16, 16)
    apart = (trained(x * UNIT) / UNIT - exact(x)).abs()
    assert float(apart.max()) <= 1
    assert float(apart.mean()) < 0.01


def test_gradients_pass_through_the_rounding() -> None:
    torch.manual_seed(0)
    layer = Pointwise(8, 4, activation=False)
    x = torch.rand(1, 8, 2, 2, requires_grad=True)
    layer.rounding = "straight-through"
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.detach().sum((2, 3)).expand(4, -1)[:, :, None, None])
    assert x.grad is not None
    assert (x.grad != 0).all()
