"""From trained networks to the weight file of the recurrent codec, and back for more training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.recurrent import model
from progressive.codecs.recurrent.context import MOST_ODDS, ODDS_STEPS, ROWS, ContextNetwork
from progressive.codecs.recurrent.segments import TABLE, code_iteration
from progressive.errors import UsageError
from progressive.exact.coders import CountCollector
from progressive.exact.layers import integers_of, layers_of
from progressive.exact.tables import frequencies_from_counts
from progressive.exact.weights import weight_file
from progressive.files import write_atomically
from progressive.training.recurrent.model import Trainee

PRIOR = 50.0
"""The weight of the trained distribution in each row, in symbols."""


def write_model(out: Path, trainee: Trainee, codes: Tensor) -> None:
    """Writes the weight file; the table is counted over codes, int8 [crops, K, B, h, w]."""
    integers = integers_of(trainee.context)
    network = model.exact_network(integers)
    tensors = {model.CONTEXT + name: t for name, t in integers.items()}
    tensors[model.KNOWN_ANSWER] = model.known_answer(network)
    tensors[model.TABLES + TABLE] = torch.from_numpy(counted(network, codes).astype(np.int16))
    for name, t in trainee.networks.state_dict().items():
        tensors[model.NETWORKS + name] = t.half() if t.is_floating_point() else t.to(torch.int16)
    write_atomically(out, weight_file(tensors, {"architecture": model.ARCHITECTURE}))


def read_model(path: Path) -> Trainee:
    """The networks of a weight file, to be trained further; raises UsageError if they are of another model."""
    tensors, trainee = model.load_tensors(path), Trainee()
    own = {n.removeprefix(model.NETWORKS): t for n, t in tensors.items() if n.startswith(model.NETWORKS)}
    try:
        trainee.networks.load_state_dict({n: t.float() if t.is_floating_point() else t.long() for n, t in own.items()})
        for name, layer in layers_of(trainee.context):
            layer.restore(*(tensors[f"{model.CONTEXT}{name}.{part}"] for part in ("weight", "bias", "shift")))
    except (KeyError, RuntimeError) as error:
        raise UsageError(f"{path} has other networks than this version: train new ones") from error
    return trainee


@torch.inference_mode()
def counted(network: ContextNetwork, codes: Tensor) -> np.ndarray:
    """Frequencies of -1 and 1 in each row, uint16 [ROWS, 2]."""
    collector = CountCollector({TABLE: (ROWS, 2)})
    whole = np.ones(codes.shape[-2:], np.bool_)
    for photo in codes.cpu():
        for iteration, truth in enumerate(photo):
            code_iteration([collector], network, iteration, list(photo[:iteration]), [whole], truth)
    odds = (np.arange(ROWS) / ODDS_STEPS - MOST_ODDS)[:, None] * (-1, 1)
    return frequencies_from_counts(collector.counts[TABLE] + PRIOR / (1 + np.exp(-odds)))
