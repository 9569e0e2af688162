from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_recurrent import frozen_model, frozen_tensors
from safetensors.torch import save

from progressive.codecs.recurrent.codec import Recurrent
from progressive.codecs.recurrent.model import ARCHITECTURE, Model, load_tensors
from progressive.errors import BitstreamError, UsageError
from progressive.stream import StreamHeader


def changed(name: str) -> Model:
    """The frozen model with another first number of a tensor."""
    tensors = dict(frozen_tensors())
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += 1
    return Model(tensors)


def test_the_id_names_what_decoders_need_and_nothing_else() -> None:
    own = frozen_model().id
    for name in ("networks.decoder.enter.weight", "networks.linear.step", "networks.head.recall.bias"):
        assert changed(name).id != own
    for name in ("networks.encoder.enter.weight", "networks.linear.analysis"):
        assert changed(name).id == own


@pytest.mark.parametrize("name", ["context.first.enter.weight", "context.later.see.3.weight", "known_answer"])
def test_integers_that_are_not_those_of_the_known_answer_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="recurrent do not give their known answer"):
        changed(name)


@pytest.mark.parametrize("name", ["networks.head.recall.bias", "tables.codes", "context.later.out.7.shift"])
def test_missing_tensors_and_other_shapes_are_refused(name: str) -> None:
    tensors = dict(frozen_tensors())
    tensors[name] = tensors[name][:1]
    with pytest.raises(UsageError):
        Model(tensors)
    del tensors[name]
    with pytest.raises(UsageError, match="not those of a recurrent model"):
        Model(tensors)


def test_weights_of_another_architecture_are_refused_with_both_names(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(save(dict(frozen_tensors()), metadata={"architecture": "other-7"}))
    with pytest.raises(UsageError, match=f"other-7.*{ARCHITECTURE}"):
        load_tensors(file)
    file.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="cannot read the weights"):
        Model.load(file)


def test_a_model_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(frozen_model()))
    assert again.id == frozen_model().id


def test_a_header_without_a_size_of_tiers_or_with_an_impossible_one_is_refused() -> None:
    codec = Recurrent(frozen_model())
    for parameters in (b"", b"\0", b"\0\0", b"\xff\xff", b"\0\x40\1"):
        with pytest.raises(BitstreamError):
            codec.decoder(StreamHeader(3, frozen_model().id, 100, 100, 5, parameters))


def test_the_table_of_a_model_is_one_of_probabilities() -> None:
    tensors = dict(frozen_tensors())
    tensors["tables.codes"] = torch.from_numpy(np.ones((97, 2), np.int16))
    with pytest.raises(UsageError, match="every row must sum"):
        Model(tensors)
