"""A recurrent model that depends on no training: probabilities from a fixed sequence of bits, other networks linear."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from frozen_numbers import Bits, frozen_integers
from torch import Tensor

from progressive.codecs.recurrent import model
from progressive.codecs.recurrent.context import ROWS, ContextNetwork
from progressive.codecs.recurrent.layout import BITS, ITERATIONS
from progressive.codecs.recurrent.linear import COEFFICIENTS
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.networks import Networks
from progressive.codecs.recurrent.segments import TABLE
from progressive.exact.tables import TOTAL


@cache
def frozen_model(kernel: str = "float32") -> Model:
    return Model(frozen_tensors(), kernel)


@cache
def frozen_tensors() -> Mapping[str, Tensor]:
    integers = frozen_integers(ContextNetwork(), Bits(11))
    tensors = {model.CONTEXT + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(model.exact_network(integers))
    likely = 1000 + 20 * np.arange(ROWS)  # -1 in any row, so that codes that are mostly so take fewer bytes
    tensors[model.TABLES + TABLE] = torch.from_numpy(np.stack([TOTAL - likely, likely], 1).astype(np.int16))
    networks = Networks().state_dict()
    for number, name in enumerate(sorted(networks)):
        if networks[name].is_floating_point():
            drawn = Bits(100 + number).integers(100, tuple(networks[name].shape))
            zero = any(head in name for head in ("encoder.out", "decoder.gain", "head.body.4"))
            networks[name] = torch.from_numpy(drawn / 2000 * (not zero)).half()
    networks["linear.step"] = torch.linspace(1, 0.1, ITERATIONS * BITS).view(ITERATIONS, BITS).half()
    networks["linear.coefficient"] = (torch.arange(ITERATIONS * BITS) % COEFFICIENTS).view(ITERATIONS, BITS).short()
    networks["linear.depth"] = networks["linear.depth"].short()
    return tensors | {model.NETWORKS + name: t for name, t in networks.items()}
