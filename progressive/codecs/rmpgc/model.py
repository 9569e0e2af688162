"""The trained numbers: probability networks, tables, synthesis, analysis, and where they are kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
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
from progressive.codecs.rmpgc.analysis import Analysis
from progressive.codecs.rmpgc.layers import MAX_ACTIVATION, Layer, layers_of
from progressive.codecs.rmpgc.layout import PLANES
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.synthesis import Dequantiser, Synthesis
from progressive.entropy.tables import FrequencyTable
from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.threads import one_thread

WEIGHTS = Path(__file__).parents[2] / "weights" / "rmpgc.safetensors"
MAX_WEIGHT_BYTES = 10 * 2**20

NETWORKS, TABLES, TIERS = "probability.", "tables.", "tiers."
DEQUANTISER, SYNTHESIS, ANALYSIS = "dequantiser.", "synthesis.", "analysis."
KNOWN_ANSWER = "known_answer"

M = TypeVar("M", bound=nn.Module)

COARSE_BASE_TABLE, FINE_BASE_TABLE, ESCAPE_TABLE = "base_coarse", "base_fine", "escape"


ANSWER_ITEMS = 32

MAX_REASON = 200
"""Characters of what PyTorch says is wrong with weights."""


def plane_table(plane: int) -> str:
    return f"plane{plane}"


TABLE_NAMES = (
    COARSE_BASE_TABLE,
    FINE_BASE_TABLE,
    *(f"{plane_table(plane)}.{tier}" for plane in range(1, PLANES + 1) for tier in range(layout.TIERS)),
)


class Model:
    """Everything that encoder and decoder share, and the synthesis, which may differ.

    Args:
        tensors: as in the weight file. `probability.*` (integers), `tables.*` (frequencies) and `tiers.*` (of each
            row of a plane's tables) decide the latents, `known_answer` proves them; `dequantiser.*` and `synthesis.*`
            make pictures of them; `analysis.*` is the encoder's alone.

    Raises UsageError if tensors are missing or have the wrong shape, or if the networks are not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)
        try:
            self.networks = exact_networks(_below(self._tensors, NETWORKS))
            self.dequantiser = _restored(Dequantiser(), _below(self._tensors, DEQUANTISER))
            self.synthesis = _restored(Synthesis(), _below(self._tensors, SYNTHESIS))
            self.analysis = _restored(Analysis(), _below(self._tensors, ANALYSIS))
            self.tables = {name: self._table(name) for name in TABLE_NAMES} | {ESCAPE_TABLE: escape_table()}
            self.tiers = {plane: self._tensors[f"{TIERS}{plane}"] for plane in range(1, PLANES + 1)}
            self.known_answer = self._tensors[KNOWN_ANSWER]
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of an rmpgc model ({reason})") from error
        check_known_answer(self.networks, self.known_answer)

    def _table(self, name: str) -> FrequencyTable:
        return FrequencyTable(self._tensors[TABLES + name].numpy().astype(np.int64))

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        geometry = f"{layout.CHANNELS}{layout.TIERS}{layout.STAGES}{layout.TILE}{PLANES}"
        steps = f"{quantiser.STEP}{quantiser.DEAD_ZONE}{quantiser.SPLITS}{quantiser.MAX_INDEX}"
        return _digest(self._tensors, (NETWORKS, TABLES, TIERS), geometry + steps)

    @cached_property
    def synthesis_id(self) -> bytes:
        """Eight bytes that name how latents become pictures: a better synthesis opens old files."""
        return _digest(self._tensors, (DEQUANTISER, SYNTHESIS), "")

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        try:
            tensors = load(read_bytes(path, limit=MAX_WEIGHT_BYTES))
        except SafetensorError as error:
            raise UsageError(
                f"cannot read the weights {path} ({error}): reinstall the package, or train them with "
                "'python -m progressive train rmpgc --data DIR'"
            ) from error
        return cls(tensors)


def exact_networks(integers: Mapping[str, Tensor]) -> ProbabilityNetworks:
    """The networks in exact arithmetic; raises KeyError for a missing tensor, UsageError for one beyond the bounds."""
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        layer.freeze({part: integers[f"{name}.{part}"] for part in ("weight", "bias", "shift")}, name)
    networks.exact = True
    networks.eval().requires_grad_(False)
    return networks


def integers_of(networks: ProbabilityNetworks) -> dict[str, Tensor]:
    """The trained networks as they are stored."""
    return {f"{name}.{part}": t for name, layer in layers_of(networks) for part, t in layer.integers().items()}


def known_answer(networks: ProbabilityNetworks) -> Tensor:
    """What the exact networks make of fixed inputs, folded into two integers a layer, int64 [2 * layers].

    The first half are the outputs of layers as they follow each other, the second half the sums of each by itself.
    """
    outputs: list[Tensor] = []

    def fold(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(_folded(output))

    hooks = [layer.register_forward_hook(fold) for _, layer in layers_of(networks)]
    try:
        with torch.inference_mode(), one_thread():
            _exercise(networks)
            sums = [_folded(_sums_of(layer)) for _, layer in layers_of(networks)]
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(outputs + sums)


def _sums_of(layer: Layer) -> Tensor:
    """The unrounded sums of a layer: no input is zero, so that they tell one unit of any one weight, bias or shift.

    Some libraries have other methods for many items, so there are many.
    """
    weight = layer.weight
    channels = len(weight) if weight.shape[-1] > 1 else weight.shape[1]
    shape = (ANSWER_ITEMS, 3, 3, channels)
    numbers = torch.arange(1, 1 + math.prod(shape), device=weight.device) * 7919 % MAX_ACTIVATION + 1
    return layer.convolve(numbers.to(weight.dtype).reshape(shape).permute(0, 3, 1, 2), weight, layer.bias)


def _folded(output: Tensor) -> Tensor:
    """One integer that changes with any one value of an output [N, C, h, w]."""
    values = output.permute(0, 2, 3, 1).flatten().to(torch.int64)
    weights = torch.arange(1, len(values) + 1, device=values.device) % 251 + 1
    return (values * weights).sum().cpu()


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


def _exercise(networks: ProbabilityNetworks) -> None:
    """Runs every layer once, over two blocks of made-up symbols."""
    device = next(networks.parameters()).device
    seed = 12345

    def symbols(shape: tuple[int, ...], spread: int) -> Tensor:
        nonlocal seed
        count = int(np.prod(shape))
        state = np.empty(count, np.int64)
        for i in range(count):
            seed = (seed * 1103515245 + 12345) % 2**31
            state[i] = seed >> 16
        values = torch.from_numpy(state % (2 * spread + 1) - spread).to(torch.float32).reshape(shape)
        return values.to(device).contiguous(memory_format=torch.channels_last)

    def made_up(spread: int) -> object:
        return lambda _, parameters: symbols((len(parameters), *parameters.shape[2:]), spread)

    chain: list[Tensor] = []
    like = symbols((1, 1, 1, 2), 0)
    for scale in range(layout.SCALES):
        features = networks.chain_features(scale, chain[-1] if chain else None, like)
        chain.append(networks.code_base(scale, features, made_up(3))[1])  # type: ignore[arg-type]
    contexts = networks.contexts(chain)
    for plane in range(1, PLANES + 1):
        carried = None
        for scale, context in enumerate(contexts):
            side = layout.BLOCK_SIDES[scale]
            left, right = context[..., :side], context[..., side:]
            blocks = torch.cat([left, right]).contiguous(memory_format=torch.channels_last)
            parents = symbols((2, layout.CHANNELS[scale], side, side), 4)
            _, carried = networks.code_plane(plane, scale, blocks, parents, carried, made_up(1))  # type: ignore[arg-type]


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
