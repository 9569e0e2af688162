"""From a trained model to the weight file, and back for more training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae import model
from progressive.codecs.hierarchical_vae.calibration import Sample, fit
from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.codecs.hierarchical_vae.resnet import SHAPE, BottomUp, TopDown
from progressive.codecs.hierarchical_vae.tables import REACHES, Tables
from progressive.errors import UsageError
from progressive.exact.layers import integers_of, layers_of
from progressive.exact.weights import weight_file
from progressive.files import write_atomically
from progressive.runtime.threads import one_thread
from progressive.segments.tiles import BLOCK
from progressive.training.hierarchical_vae.model import Trainee
from progressive.training.hierarchical_vae.photos import meaning_of
from progressive.training.hierarchical_vae.settings import Settings

EVERY = 3
"""Of the photos that tables are counted on, every so many has gammas that follow its meaning."""

LARGEST_SIDE = 8
"""Blocks of a photo's side that are counted, as of a tile."""


def fitted(trainee: Trainee, photos: Iterable[Photo], settings: Settings) -> Tables:
    """Rounds the prior and counts its tables over photos, bytes [H, W, 3], at gammas over the whole range."""
    exact = model.exact_prior(integers_of(trainee.prior))
    model.choose_kernel(exact, model.known_answer(exact), "auto")
    with torch.inference_mode(), one_thread():
        return fit(exact, [_sample(trainee, photo, n, settings) for n, photo in enumerate(photos)])


def write_model(out: Path, trainee: Trainee, tables: Tables) -> None:
    """Writes the weight file, whole or not at all."""
    integers = integers_of(trainee.prior)
    tensors = {model.PRIOR + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_prior(integers))
    for name in REACHES:
        tensors[model.TABLES + name] = torch.from_numpy(tables.frequencies[name].frequencies).to(torch.int16)
        tensors[model.POINTS + name] = torch.from_numpy(tables.points[name])
    for prefix, module in ((model.BOTTOM_UP, trainee.bottom_up), (model.TOP_DOWN, trainee.top_down)):
        tensors |= {prefix + name: t.detach().cpu().half() for name, t in module.state_dict().items()}
    write_atomically(out, weight_file(tensors, {"architecture": model.ARCHITECTURE, "networks": SHAPE}))


def read_model(path: Path) -> Trainee:
    """The modules of a weight file, ready to be trained on; raises UsageError if it is of another architecture."""
    tensors = model.load_tensors(path)
    trainee = Trainee()
    for name, layer in layers_of(trainee.prior):
        weight, bias, shift = (tensors.get(f"{model.PRIOR}{name}.{part}") for part in ("weight", "bias", "shift"))
        if weight is None or bias is None or shift is None or not layer.takes(weight, bias, shift):
            raise UsageError(f"{path} has another prior than this version: train a new one")
        layer.restore(weight, bias, shift)
    for prefix, module in ((model.BOTTOM_UP, trainee.bottom_up), (model.TOP_DOWN, trainee.top_down)):
        _restore(module, model.below(tensors, prefix), path)
    return trainee


def _restore(module: BottomUp | TopDown, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict({name: t.float() for name, t in tensors.items()})
    except RuntimeError as error:
        raise UsageError(f"{path} has other networks than this version: train new ones") from error


def _sample(trainee: Trainee, photo: Photo, number: int, settings: Settings) -> Sample:
    height, width = (min(n // BLOCK, LARGEST_SIDE) * BLOCK for n in photo.shape[:2])
    low, high = settings.lowest_gamma, settings.highest_gamma
    # The golden ratio spreads any number of photos evenly over the range.
    gamma = low + int((number * 0.618034 % 1) * (high - low + 1))
    meaning = None if number % EVERY else meaning_of(photo[:height, :width])
    gammas = Gammas.of(gamma, height // CELL, width // CELL, meaning)
    pixels = torch.from_numpy(photo[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
    return trainee.coefficients(pixels, gammas), gammas
