from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from frozen_rmpgc import frozen_tensors
from safetensors.torch import save
from torch import Tensor

from progressive.codecs.rmpgc import model as model_module
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layers import layers_of
from progressive.codecs.rmpgc.model import Model, check_known_answer, exact_networks, integers_of, known_answer
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.entropy.tables import TOTAL
from progressive.errors import BitstreamError, UsageError
from progressive.stream import StreamHeader

NETWORKS = "probability."


def changed(name: str, by: int = 1) -> dict[str, Tensor]:
    """The frozen tensors with one unit more in one number."""
    tensors = dict(frozen_tensors())
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += by
    return tensors


@pytest.mark.parametrize(
    "name",
    [
        "probability.base.3.first.weight",
        "known_answer",
        "dequantiser.inward",
        "synthesis.leave.bias",
        "tiers.2",
        "tables.base_fine",
        "tables.plane3.1",
    ],
)
def test_a_missing_tensor_is_named_in_one_line(name: str) -> None:
    tensors = {key: t for key, t in frozen_tensors().items() if key != name}
    with pytest.raises(UsageError, match="not those of an rmpgc model") as raised:
        Model(tensors)
    assert "\n" not in str(raised.value)
    assert name.split(".", 1)[-1] in str(raised.value)


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("probability.base.3.first.weight", torch.zeros(3, 3, 1, 1, dtype=torch.int8)),
        ("probability.base.3.first.bias", torch.full((6,), 2**24, dtype=torch.int32)),
        ("tables.plane1.0", torch.full((4, 3), TOTAL // 3, dtype=torch.int16)),
        ("tables.base_fine", torch.zeros(472, 6, dtype=torch.int16)),
        ("synthesis.leave.bias", torch.zeros(7)),
    ],
)
def test_a_tensor_of_another_model_is_refused_in_one_line(name: str, replacement: Tensor) -> None:
    with pytest.raises(UsageError) as raised:
        Model(dict(frozen_tensors()) | {name: replacement})
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_weight_file_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    with pytest.raises(UsageError, match="no such file"):
        Model.load(file)
    whole = save(dict(frozen_tensors()))
    for data in (b"", b"nothing of the kind", whole[: len(whole) // 2]):
        file.write_bytes(data)
        with pytest.raises(UsageError, match=r"cannot read the weights .*train rmpgc"):
            Model.load(file)
    file.write_bytes(whole)
    assert Model.load(file).id == Model(frozen_tensors()).id


def test_the_id_names_what_decides_the_latents_and_nothing_else(model: Model) -> None:
    same = {key: t + 0.5 if t.is_floating_point() else t for key, t in frozen_tensors().items()}
    drawn_otherwise = Model(same)
    assert drawn_otherwise.id == model.id
    assert drawn_otherwise.synthesis_id != model.synthesis_id
    other_tiers = Model(changed("tiers.2", by=1 if frozen_tensors()["tiers.2"][0] == 0 else -1))
    tables = dict(frozen_tensors())
    tables["tables.plane2.1"] = tables["tables.plane2.1"].flip(1)
    assert len({model.id, other_tiers.id, Model(tables).id}) == 3
    assert other_tiers.synthesis_id == model.synthesis_id


def test_a_stream_of_another_model_is_refused_with_both_ids_in_one_line(codec: Rmpgc) -> None:
    with pytest.raises(BitstreamError) as raised:
        codec.decoder(StreamHeader(2, b"otherone", 64, 64, 3))
    message = str(raised.value)
    assert b"otherone".hex() in message
    assert codec.model.id.hex() in message
    assert "\n" not in message


def test_the_known_answer_is_the_same_on_any_number_of_threads_and_in_any_arithmetic(model: Model) -> None:
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            check_known_answer(model.networks, model.known_answer)
    finally:
        torch.set_num_threads(threads)


def test_one_unit_of_one_number_of_any_layer_is_told(model: Model) -> None:
    networks = copy.deepcopy(model.networks)
    for number, (_, layer) in enumerate(layers_of(networks)):
        expected = model_module._folded(model_module._sums_of(layer))
        for numbers in (layer.weight.data.view(-1), layer.bias.data):
            place = 37 * number % len(numbers)
            numbers[place] += 1
            assert model_module._folded(model_module._sums_of(layer)) != expected
            numbers[place] -= 1
    check_known_answer(networks, model.known_answer)
    layer.weight.data.view(-1)[0] += 1
    with pytest.raises(UsageError, match="do not give their known answer"):
        check_known_answer(networks, model.known_answer)


def test_the_known_answer_is_the_same_without_onednn(model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of Intel GPUs
        with torch.backends.mkldnn.flags(enabled=False):
            check_known_answer(model.networks, model.known_answer)


def test_training_takes_up_the_stored_integers(model: Model) -> None:
    stored = {name.removeprefix(NETWORKS): t for name, t in frozen_tensors().items() if name.startswith(NETWORKS)}
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        layer.restore(stored[f"{name}.weight"], stored[f"{name}.bias"], stored[f"{name}.shift"])
    outputs = known_answer(exact_networks(integers_of(networks)))[: len(model.known_answer) // 2]
    assert torch.equal(outputs, model.known_answer[: len(outputs)])
