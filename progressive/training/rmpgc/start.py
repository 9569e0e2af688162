"""A good start for the probability networks: without any features, they say how often each symbol occurs."""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.probability import BANDS, SLOTS, Pass, ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import COLOUR_CHANNELS, LEVELS, PLANES, TIERS
from progressive.exact.layers import Conv
from progressive.exact.passes import COLOUR
from progressive.training.rmpgc.rate import parents_and_symbols


@torch.no_grad()
def start_from_marginals(networks: ProbabilityNetworks, latent: list[Tensor]) -> None:
    """Sets the biases of all outputs from the latents of some photos, all scales [N, C, h, w]."""
    for scale, values in enumerate(latent):
        spread = (values / quantiser.STEP).square().mean((0, 2, 3)).sqrt().clamp(min=0.02)
        log_scale = _slots(torch.log(spread / 1.4).clamp(-3, 3), scale)
        _set(networks, "base", scale, 1, log_scale)
    for plane in range(1, PLANES + 1):
        parents, symbols = parents_and_symbols(latent, plane)
        for scale, (parent, symbol) in enumerate(zip(parents, symbols, strict=True)):
            inside, beyond = (_slots(_log_odds(symbol, among), scale) for among in (parent == 0, parent != 0))
            look: Conv = networks.look[-1]  # type: ignore[assignment]
            look.bias[scale * PLANES + plane - 1, :SLOTS] = inside
            for tier in range(TIERS):
                kind = scale * LEVELS + (plane - 1) * TIERS + tier
                _set(networks, "planes", kind, 0, inside)
                _set(networks, "planes", kind, 2, beyond)


def _log_odds(symbols: Tensor, among: Tensor) -> Tensor:
    """Log-odds of a symbol that is not zero, of each coefficient, [C]."""
    share = ((symbols.abs() * among).sum((0, 2, 3)) + 0.5) / (among.sum((0, 2, 3)) + 1)
    return torch.logit(share, eps=1e-6).clamp(-8, 2)


def _slots(values: Tensor, scale: int) -> Tensor:
    """A value a coefficient of the scale -> one for each of the nine bands, zero where the scale has none."""
    found, first = values.new_zeros(SLOTS), 0
    for colour, bands in enumerate(COLOUR_CHANNELS[scale]):
        found[BANDS * colour : BANDS * colour + bands] = values[first : first + bands]
        first += bands
    return found


def _set(networks: ProbabilityNetworks, walk: str, kind: int, parameter: int, slots: Tensor) -> None:
    """The bias of one parameter in all passes, of one kind."""
    for number, network in enumerate(getattr(networks, walk).passes):
        assert isinstance(network, Pass)
        own = slots[BANDS:] if number == COLOUR else slots[:BANDS]
        network.out.bias[kind, len(own) * parameter : len(own) * (parameter + 1)] = own
