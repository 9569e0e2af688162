"""The optimiser of the recipes: orthogonalised momentum for kernels, Adam for what is small.

Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers") moves every direction of a weight matrix alike: the
momentum's singular values are made about one by a few Newton-Schulz steps. Convolution kernels count as matrices
[outputs, rest]. The update is scaled so that Adam's learning rates keep their meaning (Liu et al. 2025, "Muon is
scalable for LLM training").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST_SIDE = 16
"""Matrices with a shorter side than this gain nothing from it."""

MOMENTUM = 0.95
ADAM_DECAYS = (0.9, 0.98)
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
SIZE = 0.2
"""Root mean square of an update's entries, as Adam's usually are."""


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum for kernels, Adam for small matrices and biases.

    Args:
        parameters: what is trained, or groups of it as every optimiser of torch takes them.
        rate: the learning rate, the same for both.
        weight_decay: share of a weight, in units of the rate, that each step takes away (Loshchilov & Hutter 2019).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter] | list[dict[str, Any]], rate: float = 1e-3, weight_decay: float = 0
    ) -> None:
        super().__init__(parameters, {"lr": rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["steps"] = torch.zeros(())
                    state["momentum"] = torch.zeros_like(parameter)
                state["steps"] += 1
                update = _orthogonal_update if is_kernel(parameter) else _adam_update
                if group["weight_decay"]:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update(parameter.grad, state), alpha=-group["lr"])


def is_kernel(parameter: Tensor) -> bool:
    """Whether a parameter is a kernel with both sides, outputs and the rest, long enough."""
    return parameter.dim() == 4 and min(parameter.shape[0], parameter[0].numel()) >= SMALLEST_SIDE


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix with singular values of one, roughly: they end between 0.7 and 1.2."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = x.T if tall else x
    return found


def _orthogonal_update(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
    ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)
    update: Tensor = (orthogonalised(ahead) * SIZE * max(ahead.shape) ** 0.5).reshape(gradient.shape)
    return update


def _adam_update(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    first, second = ADAM_DECAYS
    variance = state.setdefault("variance", torch.zeros_like(gradient))
    momentum = state["momentum"].lerp_(gradient, 1 - first)
    variance.lerp_(gradient.square(), 1 - second)
    steps = float(state["steps"])
    update: Tensor = momentum / (1 - first**steps) / ((variance / (1 - second**steps)).sqrt() + 1e-8)
    return update
