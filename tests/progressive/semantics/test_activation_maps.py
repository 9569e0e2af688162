from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from progressive.errors import UsageError
from progressive.semantics.activation_maps import (
    GRADIENT_METHODS,
    METHODS,
    activation_maps,
    coarse_mixed_maps,
    grad_cam,
    grad_cam_plus_plus,
    layer_cam,
    mixed_activation_maps,
    x_grad_cam,
)

CLASSES = 4


class PooledLinear(nn.Module):
    """Features, the global mean, a linear head: what CAM was made for."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


class Flattened(nn.Module):
    """A head that is not linear in the means: gradients differ from position to position."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Softplus())
        self.head = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(5 * 64, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@pytest.fixture
def pooled() -> PooledLinear:
    torch.manual_seed(3)
    return PooledLinear().eval().requires_grad_(False)


@pytest.fixture
def flattened() -> Flattened:
    torch.manual_seed(4)
    return Flattened().eval().requires_grad_(False)


def photos(count: int = 3, side: int = 16) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("method", ["gradcam", "xgradcam"])
def test_after_a_global_mean_the_gradient_of_a_score_is_the_weight_of_the_head(
    pooled: PooledLinear, method: str
) -> None:
    batch = photos()
    for chosen in range(CLASSES):
        cam, other = (
            activation_maps(pooled, pooled.features, batch, method=m, classes=[chosen] * 3) for m in ("cam", method)
        )
        torch.testing.assert_close(other, cam, atol=1e-5, rtol=1e-4)


def test_cam_is_the_weighted_sum_of_the_features(pooled: PooledLinear) -> None:
    batch = photos(1)
    features = pooled.features(batch)[0].numpy()
    weights = pooled.head.weight[2].numpy()
    by_hand = np.maximum(sum(w * f for w, f in zip(weights, features, strict=True)), 0)
    network_sized = activation_maps(pooled, pooled.features, batch, method="cam", classes=[2])[0]
    coarse = torch.nn.functional.interpolate(
        torch.from_numpy(by_hand / by_hand.max())[None, None], (16, 16), mode="bilinear"
    )[0, 0]
    torch.testing.assert_close(network_sized, coarse, atol=1e-5, rtol=1e-4)


def test_cam_reads_a_head_of_one_by_one_convolution_as_it_reads_a_linear_one(pooled: PooledLinear) -> None:
    convolution = nn.Conv2d(5, CLASSES, 1)
    convolution.load_state_dict({"weight": pooled.head.weight[:, :, None, None], "bias": pooled.head.bias})
    network = nn.Sequential(pooled.features, convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    maps = [activation_maps(n, pooled.features, photos(), method="cam", classes=[0, 1, 2]) for n in (network, pooled)]
    torch.testing.assert_close(*maps)


def derivatives_of_exp_score(
    score: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64], index: tuple[int, ...]
) -> tuple[float, float, float]:
    """First, second and third derivative of exp(score) with respect to one activation, by central differences."""
    step = 2e-3

    def y(steps: int) -> float:
        moved = at.copy()
        moved[index] += steps * step
        return float(np.exp(score(moved)))

    before2, before, here, after, after2 = (y(i) for i in (-2, -1, 0, 1, 2))
    return (
        (after - before) / (2 * step),
        (after - 2 * here + before) / step**2,
        (after2 - 2 * after + 2 * before - before2) / (2 * step**3),
    )


def test_grad_cam_plus_plus_is_what_the_paper_defines_by_higher_derivatives() -> None:
    """Eq. 10 with the derivatives of Y = exp(S) taken numerically, for a score linear in the activations."""
    rng = np.random.default_rng(6)
    activations, gradients = rng.uniform(0.1, 1, (3, 4, 5)), rng.normal(size=(3, 4, 5))

    def score(a: NDArray[np.float64]) -> float:
        return float((a * gradients).sum())

    weights = np.zeros(3)
    for k, i, j in np.ndindex(3, 4, 5):
        first, second, third = derivatives_of_exp_score(score, activations, (k, i, j))
        alpha = second / (2 * second + activations[k].sum() * third)
        weights[k] += alpha * max(first, 0)
    by_hand = np.maximum(np.einsum("k,kij->ij", weights, activations), 0)
    found = grad_cam_plus_plus(torch.from_numpy(activations)[None], torch.from_numpy(gradients)[None])[0].numpy()
    np.testing.assert_allclose(found / found.max(), by_hand / by_hand.max(), rtol=1e-3, atol=1e-4)


def test_two_positions_by_hand() -> None:
    activations, gradients = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[2.0, -1.0]]]])
    # alpha = g^2 / (2 g^2 + 4 g^3): 4 / 40 and 1 / -2; only the first gradient is positive
    torch.testing.assert_close(grad_cam_plus_plus(activations, gradients), 0.1 * 2 * activations[:, 0])
    torch.testing.assert_close(grad_cam(activations, gradients), 0.5 * activations[:, 0])
    torch.testing.assert_close(x_grad_cam(activations, 2 * gradients + 1), (5 - 3) / 4 * activations[:, 0])
    torch.testing.assert_close(layer_cam(activations, gradients), torch.tensor([[[2.0, 0.0]]]))


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_in_range_at_the_input_s_resolution(pooled: PooledLinear, method: str) -> None:
    maps = activation_maps(pooled, pooled.features, photos(), method=method)
    assert maps.shape == (3, 16, 16)
    assert maps.min() >= 0
    assert maps.max() <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1e-12, 1e6])
def test_flat_photos_give_finite_maps(pooled: PooledLinear, method: str, value: float) -> None:
    maps = activation_maps(pooled, pooled.features, torch.full((1, 3, 16, 16), value), method=method)
    assert torch.isfinite(maps).all()


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_channel_that_is_off_everywhere_adds_nothing(method: str) -> None:
    off = GRADIENT_METHODS[method](torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
    assert torch.equal(off, torch.zeros(1, 3, 3))


def test_the_class_is_the_classifier_s_first_choice_or_the_caller_s(flattened: Flattened) -> None:
    batch = photos(3, 8)
    first = flattened(batch).argmax(1).tolist()
    other = [(c + 1) % CLASSES for c in first]
    chosen = activation_maps(flattened, flattened.features, batch)
    torch.testing.assert_close(chosen, activation_maps(flattened, flattened.features, batch, classes=first))
    assert not torch.allclose(chosen, activation_maps(flattened, flattened.features, batch, classes=other))


def test_a_photo_s_map_does_not_depend_on_the_others_in_its_batch(flattened: Flattened) -> None:
    batch = photos(3, 8)
    together = activation_maps(flattened, flattened.features, batch)
    alone = torch.cat([activation_maps(flattened, flattened.features, photo[None]) for photo in batch])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_gradients_are_those_of_the_score(flattened: Flattened, method: str) -> None:
    batch = photos(1, 8)
    activations = flattened.features(batch).requires_grad_()
    flattened.head(activations.clone())[0, 1].backward()
    assert activations.grad is not None
    by_hand = GRADIENT_METHODS[method](activations.detach(), activations.grad)
    found = activation_maps(flattened, flattened.features, batch, method=method, classes=[1])
    torch.testing.assert_close(found, by_hand / by_hand.max(), atol=1e-5, rtol=1e-4)


def test_maps_of_the_top_classes_are_mixed_by_probability(flattened: Flattened) -> None:
    batch = photos(1, 8)
    probabilities = flattened(batch).softmax(1)[0]
    best, second = probabilities.argsort(descending=True)[:2].tolist()
    by_hand = sum(
        probabilities[c] * activation_maps(flattened, flattened.features, batch, classes=[c]) for c in (best, second)
    )
    assert isinstance(by_hand, Tensor)
    torch.testing.assert_close(
        mixed_activation_maps(flattened, flattened.features, batch, top=2), by_hand / by_hand.max()
    )
    torch.testing.assert_close(
        mixed_activation_maps(flattened, flattened.features, batch, top=1),
        activation_maps(flattened, flattened.features, batch),
    )


def test_the_network_is_left_as_it_was(flattened: Flattened) -> None:
    batch = photos(1, 8)
    before = flattened(batch)
    coarse_mixed_maps(flattened, flattened.features, batch, top=2)
    torch.testing.assert_close(flattened(batch), before)
    assert all(p.grad is None for p in flattened.parameters())
    assert not flattened.features._forward_hooks


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "eigencam"}, "unknown activation map"),
        ({"classes": [CLASSES]}, "from 0 to 3"),
        ({"classes": [0, 1]}, "1 photos"),
        ({"method": "cam"}, "linear head"),
    ],
)
def test_wrong_calls_are_refused(flattened: Flattened, wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        activation_maps(flattened, flattened.features, photos(1, 8), **wrong)  # type: ignore[arg-type]


def test_a_layer_without_positions_and_a_mix_of_too_many_are_refused(flattened: Flattened) -> None:
    with pytest.raises(UsageError, match="layer"):
        activation_maps(flattened, flattened.head, photos(1, 8))
    with pytest.raises(UsageError, match="top 5 of 4"):
        mixed_activation_maps(flattened, flattened.features, photos(1, 8), top=5)
