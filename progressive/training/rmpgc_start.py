"""A good start for the probability networks: without any features, they say how often each symbol occurs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.layers import Pointwise
from progressive.codecs.rmpgc.layout import LUMA, SCALES
from progressive.codecs.rmpgc.probability import Passes, PlaneNetworks, ProbabilityNetworks
from progressive.training.rmpgc_conditions import indices_of

SIGN_OF_PARENT = -0.3
"""Log-odds that a symbol points away from zero where its parent is not zero: coefficients get rarer outwards."""


@torch.no_grad()
def start_from_marginals(networks: ProbabilityNetworks, latent: list[Tensor]) -> None:
    """Sets the biases of all outputs from the latents of some photos, and makes the weights before them small."""
    indices = indices_of(latent)
    for scale in range(SCALES):
        spread = (latent[scale] / quantiser.STEP).square().mean((0, 2, 3)).sqrt().clamp(min=0.05)
        log_scale = torch.log(spread / 1.4).clamp(-2.5, 3)
        _set_outputs(networks.base[scale], [torch.zeros_like(log_scale), log_scale], scale)
        for plane, parts, parents, finer in zip(networks.planes, quantiser.SPLITS, indices, indices[1:], strict=False):
            assert isinstance(plane, PlaneNetworks)
            symbols, inside = finer[scale] - parts * parents[scale], parents[scale] == 0
            zero, beyond = _log_odds(symbols, inside), _log_odds(symbols, ~inside)
            even = torch.zeros_like(zero)
            signs = [even + SIGN_OF_PARENT] if parts == 3 else []
            _set_outputs(plane.passes[scale], [zero, even, beyond, *signs], scale)


def _log_odds(symbols: Tensor, among: Tensor) -> Tensor:
    """Log-odds of a symbol that is not zero, of each coefficient, [C]."""
    share = ((symbols.abs() * among).sum((0, 2, 3)) + 0.5) / (among.sum((0, 2, 3)) + 1)
    return torch.logit(share, eps=1e-6).clamp(-6, 2)


def _set_outputs(passes: nn.Module, parameters: list[Tensor], scale: int) -> None:
    assert isinstance(passes, Passes)
    luma, chroma = slice(LUMA[scale]), slice(LUMA[scale], None)
    for head, chosen in ((passes.first, luma), (passes.second[-1], luma), (passes.third[-1], chroma)):
        assert isinstance(head, Pointwise)
        head.weight.mul_(0.1)
        head.bias.copy_(torch.cat([p[chosen] for p in parameters]))
