"""Weight files that are damaged, or of something else, are refused in one line; priors are exact in every kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from frozen_label_guided import frozen_model, frozen_tensors
from safetensors.torch import save_file

from progressive.codecs.label_guided.model import ARCHITECTURE, KNOWN_ANSWER, NETWORKS, Model, Priors, known_answer
from progressive.errors import UsageError
from progressive.exact.layers import int8_is_fast

SAYS = {"architecture": ARCHITECTURE, "networks": NETWORKS}


def written(path: Path, tensors: dict[str, torch.Tensor], says: dict[str, str]) -> Path:
    halved = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in tensors.items()}
    save_file(halved, path, metadata=says)
    return path


@pytest.mark.parametrize("damage", ["missing", "empty", "no table", "wrong shape", "wrong sum", "no networks"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path, tensors = tmp_path / "a.safetensors", dict(frozen_tensors())
    match damage:
        case "empty":
            path.touch()
        case "no table":
            del tensors["tables.latent"]
        case "wrong shape":
            tensors["points"] = tensors["points"][:3]
        case "wrong sum":
            tensors["tables.labels"] = tensors["tables.labels"] + 1
        case "no networks":
            tensors = {name: t for name, t in tensors.items() if not name.startswith("synthesis.")}
    if damage not in {"missing", "empty"}:
        written(path, tensors, SAYS)
    with pytest.raises(UsageError, match="cannot read|not those of") as refusal:
        Model.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("what", "own"), SAYS.items())
def test_weights_of_another_architecture_are_refused_with_both_names(tmp_path: Path, what: str, own: str) -> None:
    path = written(tmp_path / "a.safetensors", dict(frozen_tensors()), SAYS | {what: "another-9"})
    with pytest.raises(UsageError, match=f"of the {what} another-9, this version has") as refusal:
        Model.load(path)
    assert own in str(refusal.value)


@pytest.mark.parametrize("layer", ["labels.out", "latent.spread", "latent.leave.1"])
def test_priors_that_compute_other_integers_are_refused(layer: str) -> None:
    tensors, name = dict(frozen_tensors()), f"priors.{layer}.weight"
    tensors[name] = tensors[name].clone()
    tensors[name][0, 0] += 1
    with pytest.raises(UsageError, match="do not give their known answer"):
        Model(tensors)


@pytest.mark.skipif(not int8_is_fast(), reason="this processor does not multiply bytes")
def test_bytes_and_floats_compute_the_same() -> None:
    answers = []
    for kernel in ("float32", "int8"):
        coding, priors = frozen_model(kernel).coding, Priors()
        priors.labels, priors.latent = coding.label_prior, coding.prior
        answers.append(known_answer(priors))
    assert torch.equal(*answers)
    assert torch.equal(answers[0], frozen_tensors()[KNOWN_ANSWER])


@pytest.mark.parametrize("name", ["points", "synthesis.leave.bias", "segmentation.out.bias"])
def test_what_chooses_and_shows_has_an_id_of_its_own(name: str) -> None:
    tensors, model = dict(frozen_tensors()), frozen_model()
    other = Model(tensors | {name: tensors[name] + 1})
    assert other.id == model.id
    assert other.networks_id != model.networks_id
