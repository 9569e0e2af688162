"""The trained numbers: priors, tables, the networks of encoder and decoder, and where they are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

import progressive.exact.known_answer as exact
from progressive.codecs.rmpgc.backbones.hyperprior import analysis, synthesis
from progressive.codecs.rmpgc.backbones.hyperprior.analysis import MEANS
from progressive.codecs.rmpgc.backbones.hyperprior.channels import (
    BASE,
    BASE_GROUPS,
    CELL,
    CHANNELS,
    ENHANCE,
    GROUPS,
    HYPER_CHANNELS,
    PARTS,
    SIDE,
    size,
)
from progressive.codecs.rmpgc.backbones.hyperprior.coding import Coding
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Encoder, layers_of
from progressive.codecs.rmpgc.backbones.hyperprior.prior import HYPER_UNIT, Exact, Priors
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import Quantiser
from progressive.codecs.rmpgc.backbones.hyperprior.synthesis import Synthesis
from progressive.codecs.rmpgc.backbones.hyperprior.tables import SHAPES, with_escape
from progressive.codecs.rmpgc.backbones.masked.latent import Layer
from progressive.errors import UsageError
from progressive.exact import inputs, laplace
from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import freeze_layers
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights
from progressive.runtime.precision import fast_floats
from progressive.transforms.cells import CellTransform

CODEC = "rmpgc_hyperprior"

WEIGHTS = Path(__file__).parents[4] / "weights" / f"{CODEC}.safetensors"

ARCHITECTURE = "rmpgc-hyperprior-1"
"""Names what the tensors are for; a file of another one is refused."""

NETWORKS = f"{CHANNELS}{analysis.SHAPE}{synthesis.SHAPE}"
"""The shapes of the float networks, which a file names as well."""

PRIORS, TABLES, KNOWN_ANSWER = "priors.", "tables.", "known_answer"
LINEAR, QUANTISER, ANALYSIS, SYNTHESIS = "linear.", "quantiser.", "analysis.", "synthesis."
BASE_HYPER, ENHANCE_HYPER = "base_hyper.", "enhance_hyper."

MARGIN = 4
"""Blocks around a piece of a large photo that take part in its picture."""

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""

M = TypeVar("M", bound=nn.Module)


class Decoder(nn.Module):
    """Coefficients of both layers, and where the enhance layer is known -> pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = CellTransform(CHANNELS, CELL)
        self.quantiser = Quantiser()
        self.synthesis = Synthesis()

    def pictures(self, base: Tensor, enhance: Tensor, mask: Tensor) -> Tensor:
        """RGB around 0..1, [N, 3, 16 h, 16 w].

        Args:
            base, enhance: expected coefficients in steps, [N, BASE, h, w] and [N, CHANNELS, h, w].
            mask: 1 where the enhance layer is known, 0 elsewhere, [N, 1, h, w].
        """
        values = self.quantiser.values(base, enhance * mask)
        picture: Tensor = self.synthesis(self.linear.synthesise(values).float(), values, mask)
        return picture.float()


class Networks:
    """The decoder's networks on a device; see `masked.model.Networks`."""

    def __init__(self, decoder: Decoder, device: str) -> None:
        self._device = torch.device(device)
        self._decoder = deepcopy(decoder).to(self._device)

    def synthesise(self, layers: Sequence[Layer], mask: Tensor) -> Tensor:
        base, enhance = joined_layers(layers)
        steps = self._decoder.quantiser
        with torch.inference_mode(), fast_floats(self._device):
            return self._decoder.pictures(steps.base.expected(base), steps.enhance.expected(enhance), mask)


class Model:
    """Everything that encoder and decoder share, and the networks of each; see `masked.model.Model`.

    Args:
        tensors: as in the weight file. `priors.*` (integers) and `tables.*` (frequencies) decide what decodes,
            `known_answer` proves it; the others choose latents and make pictures.
        kernel: how the priors compute (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Raises UsageError if tensors are missing or have the wrong shape, or if the priors are not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.encoder, self.decoder = restored(self._tensors)
            self.known_answer = self._tensors[KNOWN_ANSWER]
            self._integers = below(self._tensors, PRIORS)
            priors = exact_priors(self._integers)
            counted = {name: FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64)) for name in SHAPES}
            tables = with_escape(counted)
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of a {CODEC} model ({reason})") from error
        choose_kernel(priors, self.known_answer, kernel)
        self.coding = Coding(priors, tables)
        self.margin, self.side = MARGIN, SIDE

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor]]]:
        """Pickles are of the tensors alone: how to compute is chosen anew where they are read."""
        return type(self), (self._tensors,)

    def coding_on(self, device: str) -> Coding:
        """What decides the latents, on a device; raises UsageError if it does not compute them exactly."""
        if torch.device(device).type == "cpu":
            return self.coding
        priors = exact_priors(self._integers).to(device)
        check_known_answer(priors, self.known_answer)
        return Coding(priors, self.coding.tables)

    def networks_on(self, device: str) -> Networks:
        return Networks(self.decoder, device)

    def latent_of(self, pixels: Tensor) -> list[Layer]:
        """RGB in 0..1 of whole blocks, [1, 3, H, W] -> all layers."""
        with torch.inference_mode():
            return layers_of(self.encoder, self.encoder.wanted(pixels), self.coding)

    def channels_of(self, layers: Sequence[Layer]) -> Tensor:
        """The coefficients as far as they say how much goes on: all but those of brightness, [1, C, h, w]."""
        base, enhance = joined_layers(layers)
        steps = self.encoder.quantiser
        with torch.inference_mode():
            return steps.values(steps.base.expected(base), steps.enhance.expected(enhance))[:, MEANS:]

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        scales = f"{laplace.STEPS}{laplace.LEAST_SCALE}{laplace.SURE}{laplace.MAX_INDEX}"
        seen = f"{HYPER_UNIT}{inputs.SIZE_OF_ONE}{inputs.LARGEST_SEEN}"
        return self._named((PRIORS, TABLES), f"{ARCHITECTURE}{PARTS}{SHAPES}{scales}{seen}")

    @cached_property
    def networks_id(self) -> bytes:
        """Eight bytes that name how latents are chosen and shown: better networks open old files."""
        return self._named((LINEAR, QUANTISER, ANALYSIS, BASE_HYPER, ENHANCE_HYPER, SYNTHESIS))

    def _named(self, prefixes: tuple[str, ...], constants: str = "") -> bytes:
        return fingerprint(self._tensors, (name for name in self._tensors if name.startswith(prefixes)), constants)

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)


def joined_layers(layers: Sequence[Layer]) -> tuple[Tensor, Tensor]:
    """The indices of the base [N, BASE, h, w] and of the enhance layer [N, CHANNELS, h, w], as floats."""
    base = torch.cat([*layers[0][1:], *layers[1]], 1)
    return base.float(), torch.cat(layers[ENHANCE][1:], 1).float()


def restored(tensors: Mapping[str, Tensor]) -> tuple[Encoder, Decoder]:
    """The float networks of a weight file; raises KeyError or RuntimeError for tensors that do not fit."""
    encoder, decoder = Encoder(), Decoder()
    for module, prefix in parts_of(encoder, decoder):
        module.load_state_dict({name: t.float() for name, t in below(tensors, prefix).items()})
    return _at_rest(encoder), _at_rest(decoder)


def parts_of(encoder: Encoder, decoder: Decoder) -> list[tuple[nn.Module, str]]:
    """The float networks and what the names of their tensors begin with; transform and quantiser are of both."""
    return [
        (encoder.linear, LINEAR),
        (decoder.linear, LINEAR),
        (encoder.quantiser, QUANTISER),
        (decoder.quantiser, QUANTISER),
        (encoder.analysis, ANALYSIS),
        (encoder.base_hyper, BASE_HYPER),
        (encoder.enhance_hyper, ENHANCE_HYPER),
        (decoder.synthesis, SYNTHESIS),
    ]


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; raises UsageError if it cannot be read or is of another architecture."""
    arrays, says = read_weights(path, CODEC)
    check_made_for(path, says, {"architecture": ARCHITECTURE, "networks": NETWORKS})
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def exact_priors(integers: Mapping[str, Tensor]) -> Priors:
    """The priors in exact arithmetic; raises KeyError for a missing tensor, UsageError for one beyond the bounds."""
    priors = Priors()
    freeze_layers(priors, integers)
    priors.use("float32")
    return priors


def choose_kernel(priors: Priors, expected: Tensor, kernel: str) -> None:
    """Makes frozen priors compute with a kernel; raises UsageError if none, or not this one, is exact here."""
    exact.choose_kernel(priors.use, partial(check_known_answer, priors, expected), kernel)


def known_answer(priors: Priors) -> Tensor:
    """What the exact priors make of fixed inputs, int64 [2 * layers]; see `progressive.exact.known_answer`."""
    return exact.known_answer(priors, partial(_exercise, priors))


def check_known_answer(priors: Priors, expected: Tensor) -> None:
    """Raises UsageError if this machine does not compute the integers that the model was made with."""
    exact.check_known_answer(priors, partial(_exercise, priors), expected, CODEC)


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _exercise(priors: Priors) -> None:
    """Walks over the base of a tile of two made-up blocks, and over the enhance layer of two others."""
    numbers = made_up_numbers()

    def made_up(*shape: int, reach: int = 2) -> Tensor:
        values = [next(numbers) % (2 * reach + 1) - reach for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.int16, device=priors.device).reshape(shape)

    def walk(prior: Exact, features: Tensor, groups: Sequence[slice]) -> None:
        for number, group in enumerate(groups):
            parameters = prior.parameters_of(number, features)
            if number + 1 < len(groups):
                indices = made_up(len(features), size(group), *parameters.shape[3:])
                features = prior.following(number, features, indices)

    walk(priors.base, priors.base.features(made_up(1, HYPER_CHANNELS, 1, 2, reach=3)), BASE_GROUPS)
    hyper, base = made_up(2, HYPER_CHANNELS, 1, 1, reach=3), made_up(2, BASE, SIDE, SIDE)
    walk(priors.enhance, priors.enhance.features(hyper, base), GROUPS)


def _at_rest(module: M) -> M:
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
