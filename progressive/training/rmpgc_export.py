"""From trained networks to the weight file of rmpgc, and back for more training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from progressive.codecs.rmpgc import model
from progressive.codecs.rmpgc.calibration import fit
from progressive.codecs.rmpgc.layout import PLANES
from progressive.codecs.rmpgc.model import POINT_NAMES, TABLE_NAMES, Coding
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Synthesis
from progressive.codecs.rmpgc.transform import Transform
from progressive.exact.layers import layers_of
from progressive.files import write_atomically


def fitted_coding(networks: ProbabilityNetworks, transform: Transform, photos: Iterable[Tensor]) -> Coding:
    """Rounds the probability networks and counts their tables over photos in their colours (0..1, [1, 3, H, W])."""
    exact = model.exact_networks(model.integers_of(networks))
    model.choose_kernel(exact, model.known_answer(exact), "auto")
    with torch.inference_mode():
        return fit(exact, [transform.analyse(photo) for photo in photos])


def write_model(
    out: Path, networks: ProbabilityNetworks, coding: Coding, transform: Transform, synthesis: Synthesis
) -> None:
    """Writes the weight file: the networks, what `fitted_coding` found for them, and what makes pictures."""
    integers = model.integers_of(networks)
    tensors = {model.NETWORKS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_networks(integers))
    for name in TABLE_NAMES:
        tensors[model.TABLES + name] = torch.from_numpy(coding.tables[name].frequencies).to(torch.int16)
    for name in POINT_NAMES:
        tensors[model.POINTS + name] = torch.from_numpy(coding.points[name])
    for plane in range(1, PLANES + 1):
        tensors[f"{model.TIERS_OF_ROWS}{plane}"] = torch.from_numpy(coding.tier_of_row[plane])
    for prefix, module in ((model.TRANSFORM, transform), (model.SYNTHESIS, synthesis)):
        tensors |= {prefix + name: t.detach().cpu() for name, t in module.state_dict().items()}
    ready = {name: t.contiguous() for name, t in sorted(tensors.items())}
    write_atomically(out, save(ready, metadata={"architecture": model.ARCHITECTURE}))


def read_model(path: Path) -> tuple[ProbabilityNetworks, Transform, Synthesis]:
    """The modules of a weight file, ready to be trained on; raises UsageError if it is not one of rmpgc."""
    tensors = model.load_tensors(path)
    trained = model.Model(tensors)
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        weight, bias, shift = (tensors[f"{model.NETWORKS}{name}.{part}"] for part in ("weight", "bias", "shift"))
        layer.restore(weight, bias, shift)
    for module in (trained.transform, trained.synthesis):
        module.train().requires_grad_(True)
    return networks, trained.transform, trained.synthesis
