"""The trained numbers: networks, the probabilities of codes, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

import progressive.exact.known_answer as exact
from progressive.codecs.recurrent.context import EACH, ROWS, ContextNetwork, Pass
from progressive.codecs.recurrent.layout import BITS, CELL, ITERATIONS, TILE
from progressive.codecs.recurrent.linear import COEFFICIENTS
from progressive.codecs.recurrent.networks import Networks
from progressive.codecs.recurrent.segments import TABLE
from progressive.errors import UsageError
from progressive.exact.known_answer import made_up_numbers
from progressive.exact.layers import freeze_layers
from progressive.exact.tables import FrequencyTable
from progressive.exact.weights import check_made_for, fingerprint, read_weights

WEIGHTS = Path(__file__).parents[2] / "weights" / "recurrent.safetensors"

CODEC = "recurrent"

ARCHITECTURE = "recurrent-1"
"""Names what the tensors are for; a file of another one is refused."""

NETWORKS, CONTEXT, TABLES = "networks.", "context.", "tables."
KNOWN_ANSWER = "known_answer"

ENCODING = (f"{NETWORKS}encoder.", f"{NETWORKS}linear.analysis")
"""What only an encoder needs: a better one writes streams that old decoders show."""

MAX_REASON = 200


class Model:
    """Everything that encoder and decoder share.

    Args:
        tensors: as in the weight file: `networks.*`, of any float type; `context.*` (integers), `tables.codes`
            (frequencies) and `known_answer`, which proves that they are computed exactly.
        kernel: how the probability network computes (`layers.KERNELS`); "auto" takes the fastest that is exact here.

    Raises UsageError if tensors are missing or have the wrong shape, or if the network is not exact here.
    """

    def __init__(self, tensors: Mapping[str, Tensor], kernel: str = "auto") -> None:
        self._tensors = dict(tensors)
        try:
            self.networks = _networks(self._below(NETWORKS))
            self._known_answer = self._tensors[KNOWN_ANSWER]
            self.context = exact_network(self._below(CONTEXT))
            frequencies = self._tensors[TABLES + TABLE].numpy().astype(np.int64)
            if frequencies.shape != (ROWS, 2):
                raise ValueError("a table of another shape")
            self.tables = {TABLE: FrequencyTable(frequencies)}
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON]
            raise UsageError(f"the weights are not those of a {CODEC} model ({reason})") from error
        exact.choose_kernel(self.context.use, partial(self._check, self.context), kernel)

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Tensor]]]:
        """Pickles are of the tensors alone: how to compute is chosen anew where they are read."""
        return type(self), (self._tensors,)

    @cached_property
    def id(self) -> bytes:
        """Eight bytes that name what decides which codes a segment holds and what they look like."""
        decisive = (name for name in self._tensors if name != KNOWN_ANSWER and not name.startswith(ENCODING))
        return fingerprint(self._tensors, decisive, f"{ARCHITECTURE}{CELL}{BITS}{ITERATIONS}{TILE}")

    def networks_on(self, device: str) -> Networks:
        """The networks that make pictures, on a device."""
        if torch.device(device).type == "cpu":
            return self.networks
        return _networks(self._below(NETWORKS)).to(device)

    @classmethod
    def load(cls, path: Path = WEIGHTS, kernel: str = "auto") -> Self:
        """Raises UsageError if the file is missing, damaged, or of another model."""
        return cls(load_tensors(path), kernel)

    def _check(self, network: ContextNetwork) -> None:
        exact.check_known_answer(network, partial(_exercise, network), self._known_answer, CODEC)

    def _below(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in self._tensors.items() if name.startswith(prefix)}


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; raises UsageError if it cannot be read or is of another architecture."""
    arrays, says = read_weights(path, CODEC)
    check_made_for(path, says, {"architecture": ARCHITECTURE})
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def exact_network(integers: Mapping[str, Tensor]) -> ContextNetwork:
    """The probability network in exact arithmetic; raises KeyError for a missing tensor, UsageError for a wrong one."""
    network = ContextNetwork()
    freeze_layers(network, integers)
    network.use("float32")
    return network


def known_answer(network: ContextNetwork) -> Tensor:
    """What the exact network makes of fixed inputs; see `progressive.exact.known_answer`."""
    return exact.known_answer(network, partial(_exercise, network))


def _networks(tensors: Mapping[str, Tensor]) -> Networks:
    networks = Networks()
    networks.load_state_dict({n: t.float() if t.is_floating_point() else t.long() for n, t in tensors.items()})
    coefficient, depth = networks.linear.coefficient, networks.linear.depth
    if not 0 <= int(coefficient.min()) <= int(coefficient.max()) < COEFFICIENTS or int(depth.min()) < 0:
        raise ValueError("codes of coefficients that there are not")
    networks.eval().requires_grad_(False)
    return networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _exercise(network: ContextNetwork) -> None:
    """Walks over made-up codes of a group, in a first and in a later iteration."""
    device = next(network.parameters()).device
    numbers = made_up_numbers()

    def codes(channels: int) -> Tensor:
        values = [next(numbers) % 3 - 1 for _ in range(channels * 6 * 7)]
        return torch.tensor(values, dtype=torch.int8, device=device).reshape(1, channels, 6, 7)

    def made_up(_: Pass, __: Tensor) -> Tensor:
        return codes(EACH)

    group = codes(1) != 0
    for iteration in (0, ITERATIONS - 1):
        network.code(iteration, [codes(BITS) for _ in range(min(iteration, 2))], group, made_up)
