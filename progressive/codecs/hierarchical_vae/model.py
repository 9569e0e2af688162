"""The trained numbers: prior, tables, points, encoder and decoder, and where they are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

import progressive.exact.known_answer as exact
from progressive.codecs.hierarchical_vae import latents, rates, tables
from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, LATENTS, ROOT, SCALES
from progressive.codecs.hierarchical_vae.prior import Prior
from progressive.codecs.hierarchical_vae.quantiser import MAX_INDEX
from progressive.codecs.hierarchical_vae.resnet import SHAPE, BottomUp, TopDown
from progressive.codecs.hierarchical_vae.tables import REACHES, Tables
from progressive.codecs.hierarchical_vae.tile import Coding, to_blocks
from progressive.errors import UsageError
from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import freeze_layers
from progressive.exact.passes import Place
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights

WEIGHTS = Path(__file__).parents[2] / "weights" / "hierarchical_vae.safetensors"

CODEC = "hierarchical_vae"

ARCHITECTURE = "hierarchical-1"
"""Names what the tensors are for; a file of another one is refused."""

PRIOR, TABLES, POINTS = "prior.", "tables.", "points."
BOTTOM_UP, TOP_DOWN = "bottom_up.", "top_down."
KNOWN_ANSWER = "known_answer"

M = TypeVar("M", bound=nn.Module)

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""


class Model:
    """Everything that encoder and decoder share, and the residual networks of each.

    Args:
        tensors: as in the weight file. `prior.*` (integers) and `tables.*` (frequencies) decide what decodes,
            `known_answer` proves it; `points.*`, `bottom_up.*` and `top_down.*` choose latents and make pictures.
        kernel: how the prior computes (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Raises UsageError if tensors are missing or have the wrong shape, or if the prior is not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.bottom_up = _restored(BottomUp(), below(self._tensors, BOTTOM_UP))
            self.top_down = _restored(TopDown(), below(self._tensors, TOP_DOWN))
            self.known_answer = self._tensors[KNOWN_ANSWER]
            self._integers = below(self._tensors, PRIOR)
            prior = exact_prior(self._integers)
            counted = {name: FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64)) for name in REACHES}
            own = Tables.of(counted, {name: self._tensors[POINTS + name].numpy() for name in REACHES})
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of a {CODEC} model ({reason})") from error
        choose_kernel(prior, self.known_answer, kernel)
        self.coding = Coding(prior, own)

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor]]]:
        """Pickles are of the tensors alone: how to compute is chosen anew where they are read."""
        return type(self), (self._tensors,)

    def coding_on(self, device: str) -> Coding:
        """What decides the latents, on a device; raises UsageError if it does not compute them exactly."""
        if torch.device(device).type == "cpu":
            return self.coding
        prior = exact_prior(self._integers).to(device)
        check_known_answer(prior, self.known_answer)
        return Coding(prior, self.coding.tables)

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        geometry = f"{ARCHITECTURE}{latents.LATENTS}{latents.STRIDES}{rates.UNITS.tolist()}{rates.SHIFTS.tolist()}"
        rows = f"{tables.REACHES}{tables.ROWS}{tables.LEAST_SCALE}{MAX_INDEX}{tables.SURE}"
        return self._named((PRIOR, TABLES), geometry + rows)

    @cached_property
    def networks_id(self) -> bytes:
        """Eight bytes that name how latents are chosen and shown: better networks open old files."""
        return self._named((POINTS, BOTTOM_UP, TOP_DOWN))

    def _named(self, prefixes: tuple[str, ...], constants: str = "") -> bytes:
        return fingerprint(self._tensors, (name for name in self._tensors if name.startswith(prefixes)), constants)

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; raises UsageError if it cannot be read or is of another architecture."""
    arrays, says = read_weights(path, CODEC)
    check_made_for(path, says, {"architecture": ARCHITECTURE, "networks": SHAPE})
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def exact_prior(integers: Mapping[str, Tensor]) -> Prior:
    """The prior in exact arithmetic; raises KeyError for a missing tensor, UsageError for one beyond the bounds."""
    prior = Prior()
    freeze_layers(prior, integers)
    prior.use("float32")
    return prior


def choose_kernel(prior: Prior, expected: Tensor, kernel: str) -> None:
    """Makes a frozen prior compute with a kernel; raises UsageError if none, or not this one, is exact here."""
    exact.choose_kernel(prior.use, partial(check_known_answer, prior, expected), kernel)


def known_answer(prior: Prior) -> Tensor:
    """What the exact prior makes of fixed inputs, int64 [2 * layers]; see `progressive.exact.known_answer`."""
    return exact.known_answer(prior, partial(_exercise, prior))


def check_known_answer(prior: Prior, expected: Tensor) -> None:
    """Raises UsageError if this machine does not compute the integers that the model was made with."""
    exact.check_known_answer(prior, partial(_exercise, prior), expected, CODEC)


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _exercise(prior: Prior) -> None:
    """Walks over two blocks of made-up symbols at made-up rates."""
    device = next(prior.parameters()).device
    numbers = made_up_numbers()

    def made_up(shape: tuple[int, ...], spread: int) -> Tensor:
        values = [next(numbers) % (2 * spread + 1) - spread for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.int16, device=device).reshape(shape)

    def symbols(_: Place, parameters: Tensor) -> Tensor:
        return made_up((len(parameters), *parameters.shape[2:]), 2)

    def gammas(rows: int, columns: int, count: int) -> list[Tensor]:
        shapes = [(count, rows * BLOCK_SIDES[scale], columns * BLOCK_SIDES[scale]) for scale in range(SCALES)]
        return [made_up(shape, 127).add(127).to(torch.uint8) for shape in shapes]

    context = to_blocks(prior.code(LATENTS[ROOT], None, gammas(1, 2, 1), symbols), 2)
    apart = gammas(1, 1, 2)
    for latent in LATENTS[1:]:
        context = prior.code(latent, context, apart, symbols)


def _restored(module: M, tensors: Mapping[str, Tensor]) -> M:
    module.load_state_dict({name: t.float() for name, t in tensors.items()})
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
