"""The trained numbers: probability networks, tables, points, transform, synthesis, and where they are kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from progressive.codecs.rmpgc import layout, quantiser
from progressive.codecs.rmpgc.coding import ESCAPE_TABLE, PLANE_ROWS, REACHES, look_of, table_of
from progressive.codecs.rmpgc.layout import LEVELS, PLANES, SCALES, TIERS
from progressive.codecs.rmpgc.points import PointTables
from progressive.codecs.rmpgc.probability import BASE_WIDTH, Place, ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Synthesis
from progressive.codecs.rmpgc.transform import Transform
from progressive.errors import UsageError
from progressive.exact.layers import KERNELS, MAX_ACTIVATION, Conv, int8_is_fast, layers_of
from progressive.exact.tables import FrequencyTable
from progressive.files import read_bytes
from progressive.runtime.threads import one_thread

WEIGHTS = Path(__file__).parents[2] / "weights" / "rmpgc.safetensors"
MAX_WEIGHT_BYTES = 10 * 2**20

ARCHITECTURE = "multiscale-2"
"""Names what the tensors are for; a file of another one is refused."""

NETWORKS, TABLES, TIERS_OF_ROWS = "probability.", "tables.", "tiers."
POINTS, TRANSFORM, SYNTHESIS = "points.", "transform.", "synthesis."
KNOWN_ANSWER = "known_answer"

M = TypeVar("M", bound=nn.Module)

TABLE_NAMES = (*REACHES, *(table_of(plane, tier) for plane in range(1, PLANES + 1) for tier in range(TIERS)))
POINT_NAMES = (*TABLE_NAMES, *(look_of(plane) for plane in range(1, PLANES + 1)))

ANSWER_ITEMS = 32
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
            `synthesis.*` make pictures of them.
        kernel: how the networks compute (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Raises UsageError if tensors are missing or have the wrong shape, or if the networks are not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.transform = _restored(Transform(), _below(self._tensors, TRANSFORM))
            self.synthesis = _restored(Synthesis(), _below(self._tensors, SYNTHESIS))
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

    def coding_on(self, device: str) -> Coding:
        """What decides the latents, on a device; raises UsageError if it does not compute them exactly."""
        if torch.device(device).type == "cpu":
            return self.coding
        networks = exact_networks(self._integers).to(device)
        check_known_answer(networks, self.known_answer)
        return Coding(networks, self.coding.tables, self.coding.points, self.coding.tier_of_row)

    def _table(self, name: str) -> FrequencyTable:
        return FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64))

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        geometry = f"{ARCHITECTURE}{layout.COLOUR_CHANNELS}{layout.TIERS}{layout.TILE}{PLANES}"
        steps = f"{quantiser.STEP}{quantiser.DEAD_ZONE}{quantiser.SPLITS}{quantiser.MAX_INDEX}"
        return _digest(self._tensors, (NETWORKS, TABLES, TIERS_OF_ROWS), geometry + steps)

    @cached_property
    def synthesis_id(self) -> bytes:
        """Eight bytes that name how latents become pictures: a better synthesis opens old files."""
        return _digest(self._tensors, (POINTS, TRANSFORM, SYNTHESIS), "")

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; raises UsageError if it cannot be read or is of another architecture."""
    data = read_bytes(path, limit=MAX_WEIGHT_BYTES)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise UsageError(
            f"cannot read the weights {path} ({error}): reinstall the package, or train them with "
            "'python -m progressive train rmpgc --data DIR'"
        ) from error
    found = architecture_of(data)
    if found != ARCHITECTURE:
        raise UsageError(
            f"the weights {path} are of the architecture {found or 'without a name'}, this version has {ARCHITECTURE}: "
            "use the version they were trained with, or train new ones"
        )
    return tensors


def architecture_of(data: bytes) -> str:
    """What a weight file says its tensors are for; empty where it says nothing."""
    import json

    size = int.from_bytes(data[:8], "little")
    name: str = json.loads(data[8 : 8 + size]).get("__metadata__", {}).get("architecture", "")
    return name


def exact_networks(integers: Mapping[str, Tensor]) -> ProbabilityNetworks:
    """The networks in exact arithmetic; raises KeyError for a missing tensor, UsageError for one beyond the bounds."""
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        layer.freeze({part: integers[f"{name}.{part}"] for part in ("weight", "bias", "shift")}, name)
    networks.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    networks.use("float32")
    return networks


def integers_of(networks: ProbabilityNetworks) -> dict[str, Tensor]:
    """The trained networks as they are stored."""
    return {f"{name}.{part}": t for name, layer in layers_of(networks) for part, t in layer.integers().items()}


def choose_kernel(networks: ProbabilityNetworks, expected: Tensor, kernel: str) -> None:
    """Makes frozen networks compute with a kernel; raises UsageError if none, or not this one, is exact here."""
    if kernel not in ("auto", *KERNELS):
        raise UsageError(f"unknown kernel {kernel!r}: use one of auto, {', '.join(KERNELS)}")
    if kernel == "int8" or (kernel == "auto" and int8_is_fast()):
        try:
            networks.use("int8")
            check_known_answer(networks, expected)
            return
        except (RuntimeError, UsageError):
            if kernel == "int8":
                raise UsageError("this machine does not compute exactly with bytes: use the kernel float32") from None
    networks.use("float32")
    check_known_answer(networks, expected)


def known_answer(networks: ProbabilityNetworks) -> Tensor:
    """What the exact networks make of fixed inputs, folded into two integers a layer, int64 [2 * layers].

    The first half are the outputs of each layer in the walks over made-up symbols, the second half the sums of each by
    itself.
    """
    answer = {name: torch.zeros((), dtype=torch.int64) for name, _ in layers_of(networks)}

    def fold(name: str, output: Tensor) -> None:
        answer[name] = answer[name] * 31 + _folded(output)

    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: fold(name, output))
        for name, layer in layers_of(networks)
    ]
    try:
        with torch.inference_mode(), one_thread():
            _exercise(networks)
            sums = [_folded(_sums_of(layer)) for _, layer in layers_of(networks)]
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([*answer.values(), *sums])


def check_known_answer(networks: ProbabilityNetworks, expected: Tensor) -> None:
    """Raises UsageError if this machine does not compute the integers that the model was made with."""
    found = known_answer(networks)
    if found.shape != expected.shape or not torch.equal(found, expected):
        raise UsageError(
            "the probability networks of rmpgc do not give their known answer here, so nothing could be decoded: "
            "the weights are damaged (reinstall the package), or this build of PyTorch does not add integers exactly"
        )


def escape_table() -> FrequencyTable:
    """Every index of the base, equally likely."""
    count = 2 * quantiser.MAX_INDEX + 2
    return FrequencyTable(np.full((1, count), (1 << 14) // count))


def _sums_of(layer: Conv) -> Tensor:
    """The unrounded sums of a layer: no input is zero, so that they tell one unit of any one weight.

    Some libraries have other methods for many items, so there are many.
    """
    shape = (ANSWER_ITEMS, 3, 3, layer.weight.shape[1])
    numbers = torch.arange(1, 1 + math.prod(shape), device=layer.weight.device) * 7919 % MAX_ACTIVATION + 1
    dtype = torch.uint8 if layer.kernel == "int8" else torch.float32
    return layer.sums(numbers.to(dtype).reshape(shape).permute(0, 3, 1, 2))


def _folded(output: Tensor) -> Tensor:
    """One integer that changes with any one value of an output [N, C, h, w]."""
    values = output.permute(0, 2, 3, 1).flatten().to(torch.int64)
    weights = torch.arange(1, len(values) + 1, device=values.device) % 251 + 1
    return (values * weights).sum().cpu()


def _exercise(networks: ProbabilityNetworks) -> None:
    """Walks over two blocks of made-up symbols."""
    device = next(networks.parameters()).device
    numbers = _made_up_numbers()

    def symbols(shape: tuple[int, ...], spread: int) -> Tensor:
        values = [next(numbers) % (2 * spread + 1) - spread for _ in range(math.prod(shape))]
        return torch.tensor(values, dtype=torch.int16, device=device).reshape(shape)

    class MadeUp:
        """A coder of passes and levels whose symbols depend on nothing."""

        looks = True

        def looked(self, scale: int, parameters: Tensor) -> None:
            pass

        def known(self, scale: int) -> Tensor:
            side = layout.BLOCK_SIDES[scale]
            return symbols((2, layout.CHANNELS[scale], side, side), 1)

        def __call__(self, place: Place, parameters: Tensor) -> Tensor:
            return symbols((len(parameters), *parameters.shape[2:]), 1)

    before: Tensor | None = None
    contexts, like = [], torch.zeros(1, 1, 1, 2, device=device)
    for scale in range(SCALES):
        before = networks.code_base(scale, before, like, MadeUp())
        side = layout.BLOCK_SIDES[scale]
        contexts.append(torch.cat([before[..., :side], before[..., side:]]))
    assert contexts[0].shape[1] == BASE_WIDTH
    for level in ANSWER_LEVELS:
        parents = [symbols((2, c, s, s), 4) for c, s in zip(layout.CHANNELS, layout.BLOCK_SIDES, strict=True)]
        networks.code_level(level, contexts, parents, MadeUp())


def _made_up_numbers() -> Iterator[int]:
    seed = 12345
    while True:
        seed = (seed * 1103515245 + 12345) % 2**31
        yield seed >> 16


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _restored(module: M, tensors: Mapping[str, Tensor]) -> M:
    module.load_state_dict({name: t.float() for name, t in tensors.items()})
    module.eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _digest(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...], constants: str) -> bytes:
    digest = hashlib.sha256(constants.encode())
    for name in sorted(tensors):
        if name.startswith(prefixes):
            array: NDArray[np.generic] = tensors[name].numpy()
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:8]
