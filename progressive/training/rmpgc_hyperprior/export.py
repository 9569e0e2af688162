"""From a trained model to the weight file, and back for more training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior import model
from progressive.codecs.rmpgc.backbones.hyperprior.calibration import fit
from progressive.codecs.rmpgc.backbones.hyperprior.channels import HYPER_REACH
from progressive.codecs.rmpgc.backbones.hyperprior.tables import BASE_HYPER, ENHANCE_HYPER, SHAPES
from progressive.codecs.rmpgc.layout import TILE
from progressive.errors import UsageError
from progressive.exact.layers import integers_of, layers_of
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import weight_file
from progressive.files import write_atomically
from progressive.runtime.threads import one_thread
from progressive.training.rmpgc_hyperprior.model import HyperEntropy, Trainee


def fitted(trainee: Trainee, photos: Sequence[Tensor]) -> dict[str, FrequencyTable]:
    """Rounds the priors and counts their tables over photos of whole blocks, RGB in 0..1 [1, 3, H, W].

    The encoder is the one that a file holds: of another decoder trained on it the tables are the same.
    """
    encoder = deepcopy(trainee.encoder).half().float()
    exact = model.exact_priors(integers_of(trainee.priors))
    model.choose_kernel(exact, model.known_answer(exact), "auto")
    with torch.inference_mode(), one_thread():
        return fit(exact, encoder, [encoder.wanted(photo[:, :, :TILE, :TILE]) for photo in photos])


def write_model(out: Path, trainee: Trainee, tables: Mapping[str, FrequencyTable]) -> None:
    """Writes the weight file, whole or not at all."""
    integers = integers_of(trainee.priors)
    tensors = {model.PRIORS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_priors(integers))
    for name in SHAPES:
        tensors[model.TABLES + name] = torch.from_numpy(tables[name].frequencies).to(torch.int16)
    for module, prefix in model.parts_of(trainee.encoder, trainee.decoder):
        tensors |= {prefix + name: t.detach().cpu().half() for name, t in module.state_dict().items()}
    write_atomically(out, weight_file(tensors, {"architecture": model.ARCHITECTURE, "networks": model.NETWORKS}))


def read_model(path: Path) -> Trainee:
    """The modules of a weight file, ready to be trained on; raises UsageError if it is of another architecture."""
    tensors = model.load_tensors(path)
    trainee = Trainee()
    for name, layer in layers_of(trainee.priors):
        weight, bias, shift = (tensors.get(f"{model.PRIORS}{name}.{part}") for part in ("weight", "bias", "shift"))
        if weight is None or bias is None or shift is None or not layer.takes(weight, bias, shift):
            raise UsageError(f"{path} has other priors than this version: train new ones")
        layer.restore(weight, bias, shift)
    for module, prefix in model.parts_of(trainee.encoder, trainee.decoder):
        try:
            module.load_state_dict({name: t.float() for name, t in model.below(tensors, prefix).items()})
        except RuntimeError as error:
            raise UsageError(f"{path} has other networks than this version: train new ones") from error
    _restore(trainee.base_entropy, tensors[model.TABLES + BASE_HYPER])
    _restore(trainee.enhance_entropy, tensors[model.TABLES + ENHANCE_HYPER])
    return trainee


def _restore(entropy: HyperEntropy, counted: Tensor) -> None:
    """A hyperprior's distributions in training, from what was counted."""
    share = counted.double() / counted.double().sum(1, keepdim=True)
    symbols = torch.arange(-HYPER_REACH, HYPER_REACH + 1).double()
    mean = (share * symbols).sum(1, keepdim=True)
    spread = (share * (symbols - mean).abs()).sum(1).clamp(min=0.05)
    with torch.no_grad():
        entropy.mean.copy_(mean.float()[:, :, None])
        entropy.log_scale.copy_(spread.log2().float()[:, None, None])
