"""From trained networks to the weight file of rmpgc, and back for more training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale import model
from progressive.codecs.rmpgc.backbones.multiscale.analysis import Analysis
from progressive.codecs.rmpgc.backbones.multiscale.calibration import fit
from progressive.codecs.rmpgc.backbones.multiscale.model import POINT_NAMES, TABLE_NAMES, Coding
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import SHAPE, Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.errors import UsageError
from progressive.exact.layers import integers_of, layers_of
from progressive.exact.weights import weight_file
from progressive.files import write_atomically

Analyse = Callable[[Tensor], list[Tensor]]
"""Photos in their colours, 0..1 [N, 3, H, W] -> their latents, all scales."""


def fitted_coding(networks: ProbabilityNetworks, analyse: Analyse, photos: Iterable[Tensor]) -> Coding:
    """Rounds the probability networks and counts their tables over photos in their colours (0..1, [1, 3, H, W])."""
    exact = model.exact_networks(integers_of(networks))
    model.choose_kernel(exact, model.known_answer(exact), "auto")
    with torch.inference_mode():
        return fit(exact, [analyse(photo) for photo in photos])


def write_model(
    out: Path,
    networks: ProbabilityNetworks,
    coding: Coding,
    transform: Transform,
    synthesis: Synthesis,
    analysis: Analysis,
) -> None:
    """Writes the weight file: the networks, what `fitted_coding` found for them, and what makes pictures."""
    integers = integers_of(networks)
    tensors = {model.NETWORKS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_networks(integers))
    for name in TABLE_NAMES:
        tensors[model.TABLES + name] = torch.from_numpy(coding.tables[name].frequencies).to(torch.int16)
    for name in POINT_NAMES:
        tensors[model.POINTS + name] = torch.from_numpy(coding.points[name])
    for plane in range(1, PLANES + 1):
        tensors[f"{model.TIERS_OF_ROWS}{plane}"] = torch.from_numpy(coding.tier_of_row[plane])
    for prefix, module in ((model.TRANSFORM, transform), (model.SYNTHESIS, synthesis), (model.ANALYSIS, analysis)):
        tensors |= {prefix + name: t.detach().cpu() for name, t in module.state_dict().items()}
    write_atomically(out, weight_file(tensors, {"architecture": model.ARCHITECTURE, "synthesis": SHAPE}))


def read_model(path: Path) -> tuple[ProbabilityNetworks, Transform, Synthesis, Analysis]:
    """The modules of a weight file, ready to be trained on; an analysis that it does not have is new.

    Transform and synthesis may have grown since (`take_over`). Raises UsageError if it is not a file of rmpgc, or has
    other probability networks.
    """
    tensors = model.load_tensors(path, any_synthesis=True)
    networks, transform, synthesis = ProbabilityNetworks(), Transform(), Synthesis()
    for name, layer in layers_of(networks):
        weight, bias, shift = (tensors.get(f"{model.NETWORKS}{name}.{part}") for part in ("weight", "bias", "shift"))
        if weight is None or bias is None or shift is None or not layer.takes(weight, bias, shift):
            raise UsageError(f"{path} has other probability networks than this version: train new ones")
        layer.restore(weight, bias, shift)
    for prefix, module in ((model.TRANSFORM, transform), (model.SYNTHESIS, synthesis)):
        take_over(module, {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)})
    analysis = Analysis()
    if own := {n.removeprefix(model.ANALYSIS): t for n, t in tensors.items() if n.startswith(model.ANALYSIS)}:
        take_over(analysis, own)
    return networks, transform, synthesis, analysis


def coding_of(path: Path) -> Coding:
    """What decides the latents of a weight file, as it is there; raises UsageError if it is no file of rmpgc."""
    return model.Model(model.load_tensors(path, any_synthesis=True)).coding


@torch.no_grad()
def take_over(module: nn.Module, smaller: Mapping[str, Tensor]) -> None:
    """Gives a module the weights of one that may be smaller; raises UsageError if none of them fits.

    Inputs that are new count nothing at first, so that it does what the smaller one did, as far as what is new in it
    adds nothing by itself. Tensors that are larger than the module's, or of another number of axes, are left out.
    """
    taken = 0
    for name, own in module.state_dict().items():
        before = smaller.get(name)
        if (
            before is None
            or before.dim() != own.dim()
            or any(b > n for b, n in zip(before.shape, own.shape, strict=True))
        ):
            continue
        own[: before.shape[0]] = 0
        own[tuple(slice(n) for n in before.shape)] = before
        taken += 1
    if not taken:
        raise UsageError(
            f"none of the weights fits the {type(module).__name__.lower()} of this version: train new ones"
        )
