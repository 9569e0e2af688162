"""Class activation maps over any torch CNN classifier: where in a photo the evidence for a class lies.

Legend: N photos, K channels of the layer, h x w its positions, H x W the input's.

Every method weighs the layer's channels and sums them; they differ in the weights, which are all made of the gradients
of a class score with respect to the layer's activations. Gradients are taken from the layer to the score only, so
that a map costs hardly more than a forward pass, and maps of several classes share that pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from progressive.errors import UsageError
from progressive.suggestions import use_one_of

Method = Callable[[Tensor, Tensor], Tensor]
"""Activations and gradients of the score, both [N, K, h, w], to an unnormalised map [N, h, w]."""


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, Eq. 1-2): a channel weighs the mean of its gradients."""
    return _weighted_sum(gradients.mean((2, 3)), activations)


def grad_cam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018, Eq. 10 and 19), for Y = exp(S) of the class score S.

    The positive gradients of a channel are summed with weights alpha = g^2 / (2 g^2 + g^3 sum(A)), zero where g is.
    The common factor exp(S) of a photo's gradients is left out: it scales the map.
    """
    squared, total = gradients**2, activations.sum((2, 3), keepdim=True)
    denominator = 2 * squared + gradients**3 * total
    alpha = torch.where(denominator != 0, squared / torch.where(denominator != 0, denominator, 1), 0)
    return _weighted_sum((alpha * gradients.relu()).sum((2, 3)), activations)


def x_grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """XGrad-CAM (Fu et al. 2020, Eq. 8): gradients averaged with the share of the activation at their position."""
    total = activations.sum((2, 3))
    weighted = (activations * gradients).sum((2, 3))
    return _weighted_sum(torch.where(total != 0, weighted / torch.where(total != 0, total, 1), 0), activations)


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """LayerCAM (Jiang et al. 2021, Eq. 6-7): each activation weighs its own gradient, where that is positive."""
    return (gradients.relu() * activations).sum(1).relu()


GRADIENT_METHODS: dict[str, Method] = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "xgradcam": x_grad_cam,
    "layercam": layer_cam,
}

METHODS = ("cam", *GRADIENT_METHODS)


def activation_maps(
    network: nn.Module,
    layer: nn.Module,
    batch: Tensor,
    *,
    method: str = "gradcam++",
    classes: Sequence[int] | None = None,
) -> Tensor:
    """The map of one class for each photo.

    Args:
        network: a classifier in evaluation mode, [N, 3, H, W] to scores [N, classes].
        layer: a module of it that gives [N, K, h, w]; `cam` wants the one that the global mean and the linear head, or
            a head of 1x1 convolution and global mean, follow.
        batch: photos [N, 3, H, W], normalised as the network wants.
        method: one of METHODS.
        classes: one for each photo; the classifier's first choice if left out.

    Returns [N, H, W] in 0..1, the maximum of each map 1 (a map without any evidence is all 0). Raises UsageError for
    an unknown method, a layer or classes that do not fit.
    """
    with _scored(network, layer, batch) as (activations, scores):
        chosen = scores.argmax(1) if classes is None else _checked(classes, scores)
        return upsampled(_normalised(_maps_of(network, method, activations, scores, chosen)), batch.shape[2:])


def mixed_activation_maps(
    network: nn.Module, layer: nn.Module, batch: Tensor, *, method: str = "gradcam++", top: int = 5
) -> Tensor:
    """The maps of each photo's `top` most probable classes, mixed with their probabilities as weights.

    Arguments, result and errors as of `activation_maps`.
    """
    return upsampled(coarse_mixed_maps(network, layer, batch, method=method, top=top), batch.shape[2:])


def coarse_mixed_maps(
    network: nn.Module, layer: nn.Module, batch: Tensor, *, method: str = "gradcam++", top: int = 5
) -> Tensor:
    """`mixed_activation_maps` at the layer's own resolution, [N, h, w]."""
    with _scored(network, layer, batch) as (activations, scores):
        if not 1 <= top <= scores.shape[1]:
            raise UsageError(f"cannot mix the top {top} of {scores.shape[1]} classes")
        probabilities, classes = scores.detach().softmax(1).topk(top)
        mixed = sum(
            probabilities[:, rank, None, None]
            * _normalised(_maps_of(network, method, activations, scores, classes[:, rank]))
            for rank in range(top)
        )
        assert isinstance(mixed, Tensor)
        return _normalised(mixed)


def upsampled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps [N, h, w] at another size, bilinear."""
    return F.interpolate(maps[:, None], tuple(size), mode="bilinear", align_corners=False)[:, 0]


@contextmanager
def _scored(network: nn.Module, layer: nn.Module, batch: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The layer's activations, from which gradients are recorded, and the scores."""
    kept: list[Tensor] = []

    def start_recording_here(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # layers that follow may work in place

    hook = layer.register_forward_hook(start_recording_here)
    try:
        with torch.enable_grad():
            scores = network(batch)
            if len(kept) != 1 or kept[0].ndim != 4 or scores.ndim != 2:
                raise UsageError("an activation map needs a layer that is used once and gives [N, K, h, w]")
            yield kept[0], scores
    finally:
        hook.remove()


def _maps_of(network: nn.Module, method: str, activations: Tensor, scores: Tensor, classes: Tensor) -> Tensor:
    if method == "cam":
        return cam(activations, _head(network, activations.shape[1])[classes])
    if method not in GRADIENT_METHODS:
        raise UsageError(f"unknown activation map {method!r}: {use_one_of(method, METHODS)}")
    selected = scores.gather(1, classes[:, None]).sum()
    (gradients,) = torch.autograd.grad(selected, activations, retain_graph=True)
    return GRADIENT_METHODS[method](activations.detach(), gradients)


def cam(activations: Tensor, weights: Tensor) -> Tensor:
    """CAM (Zhou et al. 2016, Eq. 2): channels weighed as the class's row [N, K] of the linear head weighs their means.

    Evidence against the class counts as none, as in the methods that came after.
    """
    return _weighted_sum(weights, activations.detach())


def _head(network: nn.Module, channels: int) -> Tensor:
    """The weights [classes, K] of the last linear layer or 1x1 convolution."""
    heads = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    weight = heads[-1].weight.detach().flatten(1) if heads else torch.empty(0, 0)
    if weight.shape[1] != channels:
        raise UsageError("CAM needs a linear head on the layer's channels: use gradcam")
    return weight


def _weighted_sum(weights: Tensor, activations: Tensor) -> Tensor:
    return torch.einsum("nk,nkhw->nhw", weights, activations).relu()


def _normalised(maps: Tensor) -> Tensor:
    highest = maps.amax((1, 2), keepdim=True)
    return torch.where(highest > 0, maps / torch.where(highest > 0, highest, 1), 0)


def _checked(classes: Sequence[int], scores: Tensor) -> Tensor:
    count = scores.shape[1]
    if len(classes) != len(scores) or not all(0 <= c < count for c in classes):
        raise UsageError(f"{len(scores)} photos need as many classes, each from 0 to {count - 1}")
    return torch.tensor(list(classes), device=scores.device)
