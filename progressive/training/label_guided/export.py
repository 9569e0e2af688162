"""From a trained model to the weight file, and back for more training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codec import Photo
from progressive.codecs.label_guided import model
from progressive.codecs.label_guided.calibration import Sample, fit
from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.layout import SIDE
from progressive.codecs.label_guided.prior import HYPER_REACH
from progressive.codecs.label_guided.segmentation import cell_labels, probabilities
from progressive.codecs.label_guided.tables import SHAPES, Tables
from progressive.errors import UsageError
from progressive.exact.layers import integers_of, layers_of
from progressive.exact.weights import weight_file
from progressive.files import write_atomically
from progressive.runtime.threads import one_thread
from progressive.segments.tiles import BLOCK
from progressive.training.label_guided.first import COARSENESS
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.settings import Settings

LARGEST_SIDE = 8
"""Blocks of a photo's side that are counted, as of a tile."""

MARGIN = 0.015
"""How far below the least sure of the photos set aside one has to be to be taken for no street scene."""


def fitted(trainee: Trainee, photos: Sequence[Photo], settings: Settings) -> Tables:
    """Rounds the priors and counts their tables over photos, bytes [H, W, 3], at levels over the whole range."""
    exact = model.exact_priors(integers_of(trainee.priors))
    model.choose_kernel(exact, model.known_answer(exact), "auto")
    with torch.inference_mode(), one_thread():
        return fit(exact.labels, exact.latent, [_sample(trainee, p, n, settings) for n, p in enumerate(photos)])


def unsure_below(trainee: Trainee, photos: Sequence[Photo]) -> float:
    """The mean likelihood of classes below which a photo is unlike all of these."""
    with torch.inference_mode(), one_thread():
        sure = [cell_labels(probabilities(trainee.segmentation, p), *p.shape[:2])[1] for p in photos]
    return min(sure) - MARGIN


def write_model(out: Path, trainee: Trainee, tables: Tables, unsure: float) -> None:
    """Writes the weight file, whole or not at all."""
    integers = integers_of(trainee.priors)
    tensors = {model.PRIORS + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_priors(integers))
    tensors[model.UNSURE] = torch.tensor(unsure, dtype=torch.float32)
    for name in SHAPES:
        tensors[model.TABLES + name] = torch.from_numpy(tables.frequencies[name].frequencies).to(torch.int16)
    tensors[model.POINTS] = torch.from_numpy(tables.points)
    for prefix, module in _floats(trainee).items():
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
    for prefix, module in _floats(trainee).items():
        _restore(module, model.below(tensors, prefix), path)
    _hyper_entropy(trainee, tensors)
    return trainee


def _floats(trainee: Trainee) -> Mapping[str, nn.Module]:
    return {
        model.LINEAR: trainee.linear,
        model.ANALYSIS: trainee.analysis,
        model.HYPER: trainee.hyper_analysis,
        model.SYNTHESIS: trainee.synthesis,
        model.SEGMENTATION: trainee.segmentation,
    }


def _restore(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict({name: t.float() for name, t in tensors.items()})
    except RuntimeError as error:
        raise UsageError(f"{path} has other networks than this version: train new ones") from error


def _hyper_entropy(trainee: Trainee, tensors: Mapping[str, Tensor]) -> None:
    """The hyperprior's distributions in training, from what was counted."""
    counted = tensors[model.TABLES + "hyper"].double()
    share = counted / counted.sum(1, keepdim=True)
    symbols = torch.arange(-HYPER_REACH, HYPER_REACH + 1).double()
    mean = (share * symbols).sum(1, keepdim=True)
    spread = (share * (symbols - mean).abs()).sum(1).clamp(min=0.05)
    with torch.no_grad():
        trainee.hyper_entropy.mean.copy_(mean.float()[:, :, None])
        trainee.hyper_entropy.log_scale.copy_(spread.log2().float()[:, None, None])


def _sample(trainee: Trainee, photo: Photo, number: int, settings: Settings) -> Sample:
    height, width = (min(n // BLOCK, LARGEST_SIDE) * BLOCK for n in photo.shape[:2])
    low, high = settings.lowest_level, settings.highest_level
    # The golden ratio spreads any number of photos evenly over the range.
    level = low + int((number * 0.618034 % 1) ** COARSENESS * (high - low + 1))
    cut = np.ascontiguousarray(photo[:height, :width])
    pixels = torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 255
    levels = torch.tensor([level])
    coefficients = trainee.coefficients(pixels, levels)
    hyper = (
        trainee.hyper_analysis(coefficients, levels).round().clamp(-HYPER_REACH, HYPER_REACH)[0].to(torch.int32).numpy()
    )
    labels = cell_labels(probabilities(trainee.segmentation, cut), height, width)[0]
    assert labels.shape == (height // BLOCK * SIDE, width // BLOCK * SIDE)
    return Sample(Choices(coefficients, hyper, labels), level)
