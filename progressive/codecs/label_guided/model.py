"""The trained numbers: priors, tables, points, the networks of encoder and decoder, and where they are kept."""

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
from progressive.codecs.label_guided import (
    analysis,
    classes,
    groups,
    label_prior,
    segmentation,
    steps,
    synthesis,
    tables,
)
from progressive.codecs.label_guided.analysis import Analysis, HyperAnalysis
from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.label_prior import SEEN, LabelPrior
from progressive.codecs.label_guided.layout import SIDE
from progressive.codecs.label_guided.linear import Linear
from progressive.codecs.label_guided.prior import HYPER_CHANNELS, UNITS, Prior
from progressive.codecs.label_guided.segmentation import Segmentation
from progressive.codecs.label_guided.synthesis import Synthesis
from progressive.codecs.label_guided.tables import SHAPES, Tables
from progressive.codecs.label_guided.tile import Coding, to_blocks
from progressive.errors import UsageError
from progressive.exact import laplace
from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import freeze_layers
from progressive.exact.passes import Place
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights

WEIGHTS = Path(__file__).parents[2] / "weights" / "label_guided.safetensors"

CODEC = "label_guided"

ARCHITECTURE = "label-guided-1"
"""Names what the tensors are for; a file of another one is refused."""

NETWORKS = f"{analysis.SHAPE}{synthesis.SHAPE}{segmentation.SHAPE}"
"""The shapes of the float networks, which a file names as well."""

PRIORS, TABLES, POINTS = "priors.", "tables.", "points"
LINEAR, ANALYSIS, HYPER, SYNTHESIS = "linear.", "analysis.", "hyper_analysis.", "synthesis."
SEGMENTATION = "segmentation."
UNSURE = "unsure_below"
KNOWN_ANSWER = "known_answer"

M = TypeVar("M", bound=nn.Module)

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""

MADE_UP_CELLS = (5, 9)
"""The label map that the known answer is of."""


class Priors(nn.Module):
    """All that computes in exact integers. Fields: the networks of label maps and of the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = LabelPrior()
        self.latent = Prior()

    def set_rounding(self, rounding: str) -> None:
        """ "none" or "straight-through", for training."""
        self.labels.set_rounding(rounding)
        self.latent.set_rounding(rounding)

    def use(self, kernel: str) -> None:
        """Chooses how frozen networks compute (`layers.KERNELS`); raises RuntimeError where torch lacks it."""
        self.labels.use(kernel)
        self.latent.use(kernel)


class Model:
    """Everything that encoder and decoder share, and the networks of each.

    Args:
        tensors: as in the weight file. `priors.*` (integers) and `tables.*` (frequencies) decide what decodes,
            `known_answer` proves it; the others choose labels and latents and make pictures.
        kernel: how the priors compute (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Fields:
        unsure_below: the mean likelihood of the classes found, below which a photo is taken for no street scene.

    Raises UsageError if tensors are missing or have the wrong shape, or if the priors are not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.linear = _restored(Linear(), below(self._tensors, LINEAR))
            self.analysis = _restored(Analysis(), below(self._tensors, ANALYSIS))
            self.hyper_analysis = _restored(HyperAnalysis(), below(self._tensors, HYPER))
            self.synthesis = _restored(Synthesis(), below(self._tensors, SYNTHESIS))
            self.segmentation = _restored(Segmentation(), below(self._tensors, SEGMENTATION))
            self.unsure_below = float(self._tensors[UNSURE])
            self.known_answer = self._tensors[KNOWN_ANSWER]
            self._integers = below(self._tensors, PRIORS)
            priors = exact_priors(self._integers)
            counted = {name: FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64)) for name in SHAPES}
            own = Tables.of(counted, self._tensors[POINTS].numpy())
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of a {CODEC} model ({reason})") from error
        choose_kernel(priors, self.known_answer, kernel)
        self.coding = Coding(priors.labels, priors.latent, own)

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor]]]:
        """Pickles are of the tensors alone: how to compute is chosen anew where they are read."""
        return type(self), (self._tensors,)

    def coding_on(self, device: str) -> Coding:
        """What decides the latents, on a device; raises UsageError if it does not compute them exactly."""
        if torch.device(device).type == "cpu":
            return self.coding
        priors = exact_priors(self._integers).to(device)
        check_known_answer(priors, self.known_answer)
        return Coding(priors.labels, priors.latent, self.coding.tables)

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        geometry = f"{ARCHITECTURE}{classes.CLASSES}{groups.ENDS}{UNITS.tolist()}{laplace.MAX_INDEX}"
        rows = f"{SHAPES}{label_prior.UNITS}{label_prior.MORE.tolist()}{laplace.LEAST_SCALE}{tables.SURE}"
        return self._named((PRIORS, TABLES), geometry + rows)

    @cached_property
    def networks_id(self) -> bytes:
        """Eight bytes that name how labels and latents are chosen and shown: better networks open old files."""
        return self._named((POINTS, LINEAR, ANALYSIS, HYPER, SYNTHESIS, SEGMENTATION))

    def _named(self, prefixes: tuple[str, ...], constants: str = "") -> bytes:
        return fingerprint(self._tensors, (name for name in self._tensors if name.startswith(prefixes)), constants)

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)


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
    """Walks over a made-up label map, and over two blocks of made-up symbols at a made-up level."""
    device = next(priors.parameters()).device
    numbers = made_up_numbers()

    def made_up(shape: tuple[int, ...], least: int, count: int) -> Tensor:
        values = [next(numbers) % count + least for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.int64, device=device).reshape(shape)

    def symbols(_: Place, parameters: Tensor) -> Tensor:
        return made_up((len(parameters), *parameters.shape[2:]), -2, 5).to(torch.int16)

    cells = made_up((math.prod(MADE_UP_CELLS), len(SEEN)), 0, classes.COUNT + 1).cpu().numpy()
    priors.labels(priors.labels.input_of(cells))
    hyper = made_up((1, HYPER_CHANNELS, 1, 2), -3, 7).to(torch.int32)
    labels = made_up((1, SIDE, 2 * SIDE), classes.BLANK, classes.COUNT + 1)
    level = torch.tensor([steps.FINEST // 3], device=device)
    context = to_blocks(priors.latent.code_first(hyper, labels, level, symbols))
    for group in range(ROOT + 1, len(GROUPS)):
        context = priors.latent.code_later(group, context, symbols)


def _restored(module: M, tensors: Mapping[str, Tensor]) -> M:
    module.load_state_dict({name: t.float() for name, t in tensors.items()})
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
