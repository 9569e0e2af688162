"""From trained networks to the weight file of rmpgc, and back for more training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from progressive.codecs.rmpgc import model
from progressive.codecs.rmpgc.analysis import Analysis
from progressive.codecs.rmpgc.calibration import fit_tables, fit_tiers
from progressive.codecs.rmpgc.layers import layers_of
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Dequantiser, Synthesis
from progressive.files import read_bytes, write_atomically

M = TypeVar("M", bound=nn.Module)


def write_model(
    out: Path,
    analysis: Analysis,
    networks: ProbabilityNetworks,
    dequantiser: Dequantiser,
    synthesis: Synthesis,
    photos: Iterable[Tensor],
) -> None:
    """Rounds the probability networks, counts their tables over photos (RGB 0..1, [1, 3, H, W]) and writes the file."""
    integers = model.integers_of(networks)
    exact = model.exact_networks(integers)
    with torch.inference_mode():
        latents = [analysis(photo) for photo in photos]
    tiers = fit_tiers(exact, dequantiser, latents)
    tables = fit_tables(exact, tiers, dequantiser, latents)
    tensors = {model.KNOWN_ANSWER: model.known_answer(exact)}
    tensors |= {model.NETWORKS + name: t for name, t in integers.items()}
    tensors |= {model.TABLES + name: t.to(torch.int16) for name, t in tables.items()}
    tensors |= {f"{model.TIERS}{plane}": t for plane, t in tiers.items()}
    for prefix, module in (
        (model.DEQUANTISER, dequantiser),
        (model.SYNTHESIS, synthesis),
        (model.ANALYSIS, analysis),
    ):
        tensors |= {prefix + name: t.detach().cpu() for name, t in module.state_dict().items()}
    write_atomically(out, save({name: t.contiguous() for name, t in sorted(tensors.items())}))


def read_model(path: Path) -> tuple[Analysis, ProbabilityNetworks, Dequantiser, Synthesis]:
    """The four modules of a weight file, ready to be trained on; raises UsageError if it is not one of rmpgc."""
    trained = model.Model.load(path)
    tensors = load(read_bytes(path, limit=model.MAX_WEIGHT_BYTES))
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        weight, bias, shift = (tensors[f"{model.NETWORKS}{name}.{part}"] for part in ("weight", "bias", "shift"))
        layer.restore(weight, bias, shift)
    return _trainable(trained.analysis), networks, trained.dequantiser, _trainable(trained.synthesis)


def _trainable(module: M) -> M:
    module.train().requires_grad_(True)
    return module
