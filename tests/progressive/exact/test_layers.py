from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.errors import UsageError
from progressive.exact.layers import (
    EXACT,
    MAX_ACTIVATION,
    MAX_SHIFT,
    MAX_WEIGHT,
    UNIT,
    Conv,
    Residual,
    layers_of,
)

KINDS = 3
SHAPES = {
    "1x1": (1, 1),
    "3x3": (3, 1),
    "every other": (3, 2),
}


def integers(layer: Conv, seed: int, *, shifts: tuple[int, int] = (9, 14)) -> dict[str, Tensor]:
    """Any weights that a file may hold."""
    random = torch.Generator().manual_seed(seed)
    weight, bias = layer.weight.shape, layer.bias.shape
    return {
        "weight": torch.randint(-MAX_WEIGHT, MAX_WEIGHT + 1, weight, generator=random).to(torch.int8),
        "bias": torch.randint(-50_000, 50_001, bias, generator=random).to(torch.int32),
        "shift": torch.randint(shifts[0], shifts[1] + 1, bias[1:], generator=random).to(torch.uint8),
    }


def frozen(module: nn.Module, kernel: str, seed: int = 0) -> nn.Module:
    for number, (name, layer) in enumerate(layers_of(module)):
        layer.freeze(integers(layer, seed + number, shifts=(8, 13)), name)
        layer.use(kernel)
    return module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def activations(kernel: str, *shape: int, seed: int = 3) -> Tensor:
    x = torch.randint(0, MAX_ACTIVATION + 1, shape, generator=torch.Generator().manual_seed(seed))
    return last(x.to(torch.uint8 if kernel == "int8" else torch.float32))


def last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


class Network(nn.Module):
    """A layer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.body = Conv(40, 32, kinds=KINDS), Residual(32)
        self.corner, self.out = Conv(32, 24, 3, stride=2), Conv(24, 18, kinds=KINDS, activation=False)

    def forward(self, x: Tensor, kind: int) -> Tensor:
        signed: Tensor = self.out(self.corner(F.pad(self.body(self.enter(x, kind)), (1, 1, 1, 1))), kind)
        return signed


@torch.inference_mode()
@pytest.mark.parametrize("activation", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_is_an_integer_sum_a_shift_to_the_nearest_and_a_clip(kernel: str, shape: str, activation: bool) -> None:
    side, stride = SHAPES[shape]
    scale = 64 if activation else 8
    layer = Conv(40, 32, side, kinds=KINDS, stride=stride, scale=scale, activation=activation)
    stored = integers(layer, 5)
    layer.freeze(stored, "layer")
    layer.use(kernel)
    x = activations(kernel, 2, 40, 9, 7)
    for kind in range(KINDS):
        sums = F.conv2d(x.double(), stored["weight"].double(), None, stride, side // 2 if stride == 1 else 0)
        assert float(sums.abs().max()) > 2**17
        sums += stored["bias"][kind].double().view(-1, 1, 1)
        expected = (sums * UNIT * scale / 2 ** stored["shift"].double().view(-1, 1, 1)).round()
        if activation:
            expected = expected.clamp(0, MAX_ACTIVATION)
        found = layer(x, kind)
        assert torch.equal(found.double(), expected)
        assert len(found.unique()) > 20


@torch.inference_mode()
def test_what_is_added_comes_before_rounding_and_clipping(kernel: str) -> None:
    layer, x, plus = Conv(32, 32, 3), activations(kernel, 3, 32, 6, 6), activations(kernel, 3, 32, 6, 6, seed=4)
    stored, before = integers(layer, 6), plus.clone()
    layer.freeze(stored, "layer")
    layer.use(kernel)
    sums = F.conv2d(x.double(), stored["weight"].double(), stored["bias"][0].double(), padding=1)
    expected = (plus.double() + sums / 2 ** stored["shift"].double().view(-1, 1, 1)).round()
    assert (expected < plus).any()
    assert (expected > MAX_ACTIVATION).any()
    assert torch.equal(layer(x, plus=plus).double(), expected.clamp(0, MAX_ACTIVATION))
    assert torch.equal(plus, before)


@torch.inference_mode()
def test_integers_stay_the_same_in_any_batch_layout_and_kernel(kernel: str) -> None:
    network, x = frozen(Network(), kernel), activations(kernel, 5, 40, 9, 7)
    for kind in (0, KINDS - 1):
        expected = frozen(Network(), "float32")(x.float(), kind)
        assert torch.equal(expected, expected.floor())
        assert len(expected.unique()) > 50
        assert torch.equal(network(x, kind), expected)
        assert torch.equal(network(x.contiguous(), kind), expected)
        assert torch.equal(torch.cat([network(last(one[None]), kind) for one in x]), expected)
        assert torch.equal(network(x.repeat(9, 1, 1, 1), kind)[-5:], expected)
        twice = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert torch.equal(network(twice[:, :, 1::2, ::2], kind), expected)


@torch.inference_mode()
def test_the_largest_sums_that_are_let_through_are_exact(kernel: str) -> None:
    """One less than the bound, which is odd: floats have no room beyond it."""
    layer = Conv(518, 16)
    stored = {
        "weight": torch.full((16, 518, 1, 1), MAX_WEIGHT, dtype=torch.int8),
        "bias": torch.full((1, 16), EXACT - 1 - 518 * MAX_WEIGHT * MAX_ACTIVATION, dtype=torch.int32),
        "shift": torch.full((16,), MAX_SHIFT, dtype=torch.uint8),
    }
    stored["weight"][8:] *= -1
    stored["bias"][:, 8:] *= -1
    layer.freeze(stored, "layer")
    layer.use(kernel)
    x = torch.full((2, 518, 3, 3), MAX_ACTIVATION, dtype=torch.uint8 if kernel == "int8" else torch.float32)
    sums = layer.sums(last(x))
    assert sums[:, :8].unique().tolist() == [518 * MAX_WEIGHT * MAX_ACTIVATION]
    assert sums[:, 8:].unique().tolist() == [-518 * MAX_WEIGHT * MAX_ACTIVATION]
    assert layer(last(x))[0, :, 0, 0].tolist() == [MAX_ACTIVATION] * 8 + [0] * 8
    stored["bias"][0, 3] += 1
    with pytest.raises(UsageError, match="exceed the range"):
        Conv(518, 16).freeze(stored, "layer")


@pytest.mark.parametrize(
    ("part", "value"),
    [("weight", MAX_WEIGHT), ("weight", -128), ("bias", EXACT), ("bias", -EXACT), ("shift", MAX_SHIFT + 1)],
)
def test_weights_that_could_leave_the_exact_range_are_refused(part: str, value: int) -> None:
    layer = Conv(520, 8, kinds=KINDS)
    stored = {
        "weight": torch.zeros(8, 520, 1, 1, dtype=torch.int8),
        "bias": torch.zeros(KINDS, 8, dtype=torch.int32),
        "shift": torch.full((8,), 10, dtype=torch.uint8),
    }
    layer.freeze(stored, "fine")
    stored[part] = stored[part].clone()
    stored[part][-1] = value
    with pytest.raises(UsageError, match=r"the weights of look\.1 exceed the range"):
        Conv(520, 8, kinds=KINDS).freeze(stored, "look.1")


def test_weights_of_another_shape_are_refused() -> None:
    for other in (Conv(41, 32), Conv(40, 32, 3), Conv(40, 32, kinds=2), Conv(40, 31)):
        with pytest.raises(UsageError, match="wrong shape"):
            Conv(40, 32).freeze(integers(other, 0), "layer")


@torch.inference_mode()
def test_the_exact_layer_computes_what_training_with_rounding_did(kernel: str) -> None:
    torch.manual_seed(0)
    trained, exact = Conv(40, 32, 3, kinds=2), Conv(40, 32, 3, kinds=2)
    trained.bias.normal_()
    trained.rounding = "straight-through"
    exact.freeze(trained.integers(), "layer")
    exact.use(kernel)
    x = activations(kernel, 2, 40, 16, 16)
    apart = (trained(x * UNIT, 1) / UNIT - exact(x, 1).float()).abs()
    assert float(apart.max()) <= 1
    assert float(apart.mean()) < 0.01
    assert not torch.equal(exact(x, 0), exact(x, 1))


def test_training_takes_up_the_stored_integers() -> None:
    torch.manual_seed(0)
    trained, again = Conv(40, 32, kinds=2), Conv(40, 32, kinds=2)
    trained.bias.data.normal_()
    stored = trained.integers()
    again.restore(**stored)
    assert all(torch.equal(t, again.integers()[name]) for name, t in stored.items())


def test_gradients_pass_through_the_rounding() -> None:
    torch.manual_seed(0)
    layer = Conv(8, 4, activation=False)
    x = torch.rand(1, 8, 2, 2, requires_grad=True)
    layer.rounding = "straight-through"
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.detach().sum((2, 3)).expand(4, -1)[:, :, None, None])
    assert x.grad is not None
    assert (x.grad != 0).all()
