from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model, frozen_tensors
from safetensors.torch import save
from torch import Tensor

import progressive.exact.known_answer as exact
from progressive.codecs.rmpgc.backbones.multiscale.model import (
    ARCHITECTURE,
    Coding,
    Model,
    check_known_answer,
    choose_kernel,
    exact_networks,
    known_answer,
)
from progressive.codecs.rmpgc.backbones.multiscale.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import SHAPE
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import BitstreamError, UsageError
from progressive.exact.layers import Conv, int8_is_fast, integers_of, layers_of
from progressive.exact.tables import TOTAL
from progressive.stream import StreamHeader

NETWORKS = "probability."
METADATA = {"architecture": ARCHITECTURE}


def stored_networks() -> dict[str, Tensor]:
    return {name.removeprefix(NETWORKS): t for name, t in frozen_tensors().items() if name.startswith(NETWORKS)}


def changed(name: str, by: int = 1) -> dict[str, Tensor]:
    """The frozen tensors with one unit more in one number."""
    tensors = dict(frozen_tensors())
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += by
    return tensors


@pytest.mark.parametrize(
    "name",
    [
        "probability.base.passes.3.see.weight",
        "known_answer",
        "points.look2",
        "points.base_fine",
        "transform.update.filters.weight",
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
        ("probability.base.enter.weight", torch.zeros(3, 3, 1, 1, dtype=torch.int8)),
        ("probability.look.0.bias", torch.full((28, 48), 2**24, dtype=torch.int32)),
        ("tables.plane1.0", torch.full((4, 3), TOTAL // 3, dtype=torch.int16)),
        ("tables.base_fine", torch.zeros(472, 6, dtype=torch.int16)),
        ("tiers.3", torch.zeros(7, dtype=torch.uint8)),
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
    whole = save(dict(frozen_tensors()), METADATA)
    for data in (b"", b"nothing of the kind", whole[: len(whole) // 2]):
        file.write_bytes(data)
        with pytest.raises(UsageError, match=r"cannot read the weights .*train rmpgc"):
            Model.load(file)
    file.write_bytes(whole)
    assert Model.load(file).id == frozen_model().id


@pytest.mark.parametrize(
    ("metadata", "found"),
    [({"architecture": "multiscale"}, "multiscale,"), ({"other": "name"}, "without a name"), (None, "without a name")],
)
def test_a_file_of_another_architecture_is_refused_with_both_names(
    tmp_path: Path, metadata: dict[str, str] | None, found: str
) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(save(dict(frozen_tensors()), metadata))
    with pytest.raises(UsageError) as raised:
        Model.load(file)
    message = str(raised.value)
    assert f"architecture {found}" in message
    assert f"this version has {ARCHITECTURE}" in message
    assert "\n" not in message


def test_a_synthesis_of_another_shape_is_refused_with_both(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(save(dict(frozen_tensors()), METADATA | {"synthesis": "9x9/9"}))
    with pytest.raises(UsageError, match=f"are of the synthesis 9x9/9, this version has {SHAPE}"):
        Model.load(file)


def test_the_id_names_what_decides_the_latents_and_nothing_else(model: Model) -> None:
    drawn = {key: t + 0.5 if t.is_floating_point() else t for key, t in frozen_tensors().items()}
    drawn["points.look1"] = drawn["points.look1"] + 1
    drawn_otherwise = Model(drawn)
    assert drawn_otherwise.id == model.id
    assert drawn_otherwise.synthesis_id != model.synthesis_id
    other_tiers = Model(changed("tiers.2", by=1 if frozen_tensors()["tiers.2"][0] == 0 else -1))
    tables = dict(frozen_tensors())
    tables["tables.plane2.1"] = tables["tables.plane2.1"].flip(1)
    assert len({model.id, other_tiers.id, Model(tables).id}) == 3
    assert other_tiers.synthesis_id == model.synthesis_id


def test_each_part_that_makes_pictures_is_named_by_the_other_id(model: Model) -> None:
    parts = ("points.base_fine", "transform.predict.filters.weight", "synthesis.leave.bias")
    ids = {Model(changed(name)).synthesis_id for name in parts}
    assert len(ids | {model.synthesis_id}) == 4


def test_a_stream_of_another_model_is_refused_with_both_ids_in_one_line(codec: Rmpgc) -> None:
    with pytest.raises(BitstreamError) as raised:
        codec.decoder(StreamHeader(2, b"otherone", 64, 64, 3))
    message = str(raised.value)
    assert b"otherone".hex() in message
    assert codec.backbone.id.hex() in message
    assert "\n" not in message


def test_the_known_answer_is_the_same_in_every_kernel_and_on_any_number_of_threads(kernel: str) -> None:
    model, threads = frozen_model(kernel), torch.get_num_threads()
    assert model.coding.networks.kernel == kernel
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            check_known_answer(model.coding.networks, model.known_answer)
    finally:
        torch.set_num_threads(threads)


def test_the_known_answer_is_the_same_without_onednn(coding: Coding, model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of Intel GPUs
        with torch.backends.mkldnn.flags(enabled=False):
            check_known_answer(coding.networks, model.known_answer)


def test_one_unit_of_any_weight_is_told(coding: Coding) -> None:
    """By the sums of its layer: those of every layer, at places all over it."""
    networks = copy.deepcopy(coding.networks)
    for number, (_, layer) in enumerate(layers_of(networks)):
        expected = sums_of(layer)
        weights, count = layer.weight.data, layer.weight.numel()
        for place in {0, 37 * number % count, count - 1}:
            at = tuple(int(n) for n in np.unravel_index(place, weights.shape))
            weights[at] += 1
            assert sums_of(layer) != expected
            weights[at] -= 1
        assert sums_of(layer) == expected


def sums_of(layer: Conv) -> int:
    return int(exact._folded(exact._sums_of(layer)))


def test_weights_that_are_not_those_of_the_answer_are_refused(kernel: str) -> None:
    for name in ("probability.base.enter.weight", "probability.planes.up.weight", "probability.look.2.weight"):
        with pytest.raises(UsageError, match="known answer|does not compute exactly"):
            Model(changed(name), kernel)


def test_every_layer_takes_part_in_the_answer(model: Model) -> None:
    layers = dict(layers_of(model.coding.networks))
    outputs, sums = model.known_answer.view(2, len(layers))
    assert (outputs != 0).all()
    assert len(set(sums.tolist())) == len(layers)


def test_a_kernel_that_is_unknown_or_not_exact_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    networks, expected = exact_networks(stored_networks()), frozen_model().known_answer
    with pytest.raises(UsageError, match="unknown kernel 'bf16': use one of auto, float32, int8"):
        choose_kernel(networks, expected, "bf16")

    def missing(_: Conv, kernel: str) -> None:
        if kernel == "int8":
            raise RuntimeError("no such operator")

    monkeypatch.setattr(Conv, "use", missing)
    with pytest.raises(UsageError, match="does not compute exactly with bytes: use the kernel float32"):
        choose_kernel(networks, expected, "int8")
    monkeypatch.setattr(exact, "int8_is_fast", lambda: True)
    choose_kernel(networks, expected, "auto")
    assert networks.kernel == "float32"


@pytest.mark.skipif(not int8_is_fast(), reason="this machine does not multiply bytes")
def test_bytes_that_do_not_give_the_answer_fall_back_to_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    networks, expected = exact_networks(stored_networks()), frozen_model().known_answer
    choose_kernel(networks, expected, "auto")
    assert networks.kernel == "int8"
    plain = exact.known_answer

    def off_by_one(of: ProbabilityNetworks, exercise: Callable[[], None]) -> Tensor:
        return plain(of, exercise) + (of.kernel == "int8")

    monkeypatch.setattr(exact, "known_answer", off_by_one)
    choose_kernel(networks, expected, "auto")
    assert networks.kernel == "float32"
    with pytest.raises(UsageError, match="use the kernel float32"):
        choose_kernel(networks, expected, "int8")


def test_where_bytes_are_slow_floats_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "int8_is_fast", lambda: False)
    networks = exact_networks(stored_networks())
    choose_kernel(networks, frozen_model().known_answer, "auto")
    assert networks.kernel == "float32"


def test_a_model_survives_its_pickle(model: Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert (again.id, again.synthesis_id) == (model.id, model.synthesis_id)


def test_training_takes_up_the_stored_integers(model: Model) -> None:
    stored = stored_networks()
    networks = ProbabilityNetworks()
    for name, layer in layers_of(networks):
        layer.restore(stored[f"{name}.weight"], stored[f"{name}.bias"], stored[f"{name}.shift"])
    outputs = known_answer(exact_networks(integers_of(networks)))[: len(model.known_answer) // 2]
    assert torch.equal(outputs, model.known_answer[: len(outputs)])
