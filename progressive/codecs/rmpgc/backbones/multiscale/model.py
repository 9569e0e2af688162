"""The trained numbers: probability networks, tables, points, transform, synthesis, and where they are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import progressive.exact.known_answer as exact
from progressive.codec import FAITHFUL
from progressive.codecs.rmpgc.backbones.multiscale import quantiser, scales, sparse
from progressive.codecs.rmpgc.backbones.multiscale.analysis import Analysis
from progressive.codecs.rmpgc.backbones.multiscale.coding import ESCAPE_TABLE, PLANE_ROWS, REACHES, look_of, table_of
from progressive.codecs.rmpgc.backbones.multiscale.natural import find_natural
from progressive.codecs.rmpgc.backbones.multiscale.points import PointTables
from progressive.codecs.rmpgc.backbones.multiscale.probability import BASE_WIDTH, ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import SHAPE as SYNTHESIS_SHAPE
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.codecs.rmpgc.layout import TILE
from progressive.errors import UsageError
from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import freeze_layers, layers_of
from progressive.exact.passes import Place
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights
from progressive.runtime.threads import one_thread

WEIGHTS = Path(__file__).parents[4] / "weights" / "rmpgc.safetensors"

CODEC = "rmpgc"

ARCHITECTURE = "multiscale-2"
"""Names what the tensors are for; a file of another one is refused."""

NETWORKS, TABLES, TIERS_OF_ROWS = "probability.", "tables.", "tiers."
POINTS, TRANSFORM, SYNTHESIS = "points.", "transform.", "synthesis."
ANALYSIS = "analysis."
KNOWN_ANSWER = "known_answer"

M = TypeVar("M", bound=nn.Module)

TABLE_NAMES = (*REACHES, *(table_of(plane, tier) for plane in range(1, PLANES + 1) for tier in range(TIERS)))
POINT_NAMES = (*TABLE_NAMES, *(look_of(plane) for plane in range(1, PLANES + 1)))

ANSWER_LEVELS = (1, LEVELS)
"""Levels that the known answer goes through: one that looks, and one that knows the most."""

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""


@dataclass(frozen=True)
class Coding:
    """What decides the latents, and where coefficients are expected then.

    Fields:
        networks: exact ones.
        tables: integer frequencies by name.
        points: by name.
        tier_of_row: plane -> the tier of each row of its look, uint8 [PLANE_ROWS].
    """

    networks: ProbabilityNetworks
    tables: dict[str, FrequencyTable]
    points: PointTables
    tier_of_row: Mapping[int, NDArray[np.uint8]]

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device


class Model:
    """Everything that encoder and decoder share, and the synthesis, which may differ.

    Args:
        tensors: as in the weight file. `probability.*` (integers), `tables.*` (frequencies) and `tiers.*` (of each
            row of a plane's look) decide the latents, `known_answer` proves them; `points.*`, `transform.*` and
            `synthesis.*` make pictures of them. `analysis.*` is the encoder's alone, and may be missing.
        kernel: how the networks compute (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Raises UsageError if tensors are missing or have the wrong shape, or if the networks are not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.transform = _restored(Transform(), _below(self._tensors, TRANSFORM))
            self.synthesis = _restored(Synthesis(), _below(self._tensors, SYNTHESIS))
            analysis = _below(self._tensors, ANALYSIS)
            self.analysis = _restored(Analysis(), analysis) if analysis else None
            self.known_answer = self._tensors[KNOWN_ANSWER]
            self._integers = _below(self._tensors, NETWORKS)
            networks = exact_networks(self._integers)
            tables = {name: self._table(name) for name in TABLE_NAMES} | {ESCAPE_TABLE: escape_table()}
            points = {name: self._tensors[POINTS + name].numpy() for name in POINT_NAMES}
            tiers = {plane: self._tensors[f"{TIERS_OF_ROWS}{plane}"].numpy() for plane in range(1, PLANES + 1)}
            if any(t.shape != (PLANE_ROWS,) for t in tiers.values()):
                raise ValueError("tiers of another number of rows")
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of an rmpgc model ({reason})") from error
        choose_kernel(networks, self.known_answer, kernel)
        self.coding = Coding(networks, tables, points, tiers)

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor]]]:
        """Pickles are of the tensors alone: how to compute is chosen anew where they are read."""
        return type(self), (self._tensors,)

    def analyse(self, photos: Tensor) -> list[Tensor]:
        """The latent that an encoder begins with, all scales, of photos in their colours, 0..1 [N, 3, 64 R, 64 K]."""
        latent = self.transform.analyse(photos)
        if self.analysis is None:
            return latent
        return [y + more for y, more in zip(latent, self.analysis(photos), strict=True)]

    def coding_on(self, device: str) -> Coding:
        """What decides the latents, on a device; raises UsageError if it does not compute them exactly."""
        if torch.device(device).type == "cpu":
            return self.coding
        networks = exact_networks(self._integers).to(device)
        check_known_answer(networks, self.known_answer)
        return Coding(networks, self.coding.tables, self.coding.points, self.coding.tier_of_row)

    def synthesis_of(self, look: str) -> Synthesis:
        """The network that makes pictures of this look; raises UsageError if its weights are missing or do not fit."""
        return self.synthesis if look == FAITHFUL else self._natural

    @cached_property
    def _natural(self) -> Synthesis:
        return find_natural(self.linear_id)

    def _table(self, name: str) -> FrequencyTable:
        return FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64))

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        geometry = f"{ARCHITECTURE}{scales.COLOUR_CHANNELS}{TIERS}{TILE}{PLANES}"
        steps = f"{quantiser.STEP}{quantiser.DEAD_ZONE}{quantiser.SPLITS}{quantiser.MAX_INDEX}"
        return self._named((NETWORKS, TABLES, TIERS_OF_ROWS), geometry + steps)

    @cached_property
    def synthesis_id(self) -> bytes:
        """Eight bytes that name how latents become pictures: a better synthesis opens old files."""
        return self._named((POINTS, TRANSFORM, SYNTHESIS))

    @cached_property
    def linear_id(self) -> bytes:
        """Eight bytes that name how latents become linear pictures, which a synthesis is made for."""
        return self._named((POINTS, TRANSFORM))

    def _named(self, prefixes: tuple[str, ...], constants: str = "") -> bytes:
        return fingerprint(self._tensors, (name for name in self._tensors if name.startswith(prefixes)), constants)

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)


def load_tensors(path: Path, *, any_synthesis: bool = False) -> dict[str, Tensor]:
    """The tensors of a weight file.

    Raises UsageError if it cannot be read, is of another architecture, or, unless `any_synthesis` will do, has a
    synthesis of another shape.
    """
    arrays, says = read_weights(path, CODEC)
    expected = {"architecture": ARCHITECTURE} | ({} if any_synthesis else {"synthesis": SYNTHESIS_SHAPE})
    check_made_for(path, {"synthesis": SYNTHESIS_SHAPE} | says, expected)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def exact_networks(integers: Mapping[str, Tensor]) -> ProbabilityNetworks:
    """The networks in exact arithmetic; raises KeyError for a missing tensor, UsageError for one beyond the bounds."""
    networks = ProbabilityNetworks()
    freeze_layers(networks, integers)
    networks.use("float32")
    return networks


def choose_kernel(networks: ProbabilityNetworks, expected: Tensor, kernel: str) -> None:
    """Makes frozen networks compute with a kernel; raises UsageError if none, or not this one, is exact here."""
    exact.choose_kernel(networks.use, partial(check_known_answer, networks, expected), kernel)


def known_answer(networks: ProbabilityNetworks) -> Tensor:
    """What the exact networks make of fixed inputs, int64 [2 * layers]; see `progressive.exact.known_answer`."""
    return exact.known_answer(networks, partial(_exercise, networks))


def check_known_answer(networks: ProbabilityNetworks, expected: Tensor) -> None:
    """Raises UsageError if this machine does not compute the integers that the model was made with."""
    exact.check_known_answer(networks, partial(_exercise, networks), expected, CODEC)
    if next(networks.parameters()).device.type != "cpu":  # elsewhere scales are computed whole
        return
    with torch.inference_mode(), one_thread():
        if not all(sparse.agrees(layer) for _, layer in layers_of(networks.planes)):
            raise UsageError(f"this build of PyTorch does not compute the networks of {CODEC} exactly: use another one")


def escape_table() -> FrequencyTable:
    """Every index of the base, equally likely."""
    count = 2 * quantiser.MAX_INDEX + 2
    return FrequencyTable(np.full((1, count), (1 << 14) // count))


def _exercise(networks: ProbabilityNetworks) -> None:
    """Walks over two blocks of made-up symbols."""
    device = next(networks.parameters()).device
    numbers = made_up_numbers()

    def symbols(shape: tuple[int, ...], spread: int) -> Tensor:
        values = [next(numbers) % (2 * spread + 1) - spread for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.int16, device=device).reshape(shape)

    class MadeUp:
        """A coder of passes and levels whose symbols depend on nothing."""

        looks = True

        def looked(self, scale: int, parameters: Tensor) -> None:
            pass

        def known(self, scale: int) -> Tensor:
            side = scales.BLOCK_SIDES[scale]
            return symbols((2, scales.CHANNELS[scale], side, side), 1)

        def coded(self, scale: int) -> None:
            return None

        def __call__(self, place: Place, parameters: Tensor) -> Tensor:
            return symbols((len(parameters), *parameters.shape[2:]), 1)

    before: Tensor | None = None
    contexts, like = [], torch.zeros(1, 1, 1, 2, device=device)
    for scale in range(SCALES):
        before = networks.code_base(scale, before, like, MadeUp())
        side = scales.BLOCK_SIDES[scale]
        contexts.append(torch.cat([before[..., :side], before[..., side:]]))
    assert contexts[0].shape[1] == BASE_WIDTH
    for level in ANSWER_LEVELS:
        parents = [symbols((2, c, s, s), 4) for c, s in zip(scales.CHANNELS, scales.BLOCK_SIDES, strict=True)]
        networks.code_level(level, contexts, parents, MadeUp())


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _restored(module: M, tensors: Mapping[str, Tensor]) -> M:
    module.load_state_dict({name: t.float() for name, t in tensors.items()})
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
