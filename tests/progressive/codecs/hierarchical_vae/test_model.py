"""Weight files that are damaged, or of something else, are refused in one line; priors are exact in every kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from frozen_hierarchical_vae import frozen_model, frozen_tensors
from safetensors.torch import save_file

from progressive.codecs.hierarchical_vae.model import ARCHITECTURE, KNOWN_ANSWER, Model, known_answer
from progressive.codecs.hierarchical_vae.resnet import SHAPE
from progressive.errors import UsageError
from progressive.exact.layers import int8_is_fast

SAYS = {"architecture": ARCHITECTURE, "networks": SHAPE}


def written(path: Path, tensors: dict[str, torch.Tensor], says: dict[str, str]) -> Path:
    save_file({name: t.contiguous() for name, t in tensors.items()}, path, metadata=says)
    return path


@pytest.mark.parametrize("damage", ["missing", "empty", "no table", "wrong shape", "wrong sum", "no networks"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path, tensors = tmp_path / "a.safetensors", dict(frozen_tensors())
    match damage:
        case "empty":
            path.touch()
        case "no table":
            del tensors["tables.wide"]
        case "wrong shape":
            tensors["points.narrow"] = tensors["points.narrow"][:3]
        case "wrong sum":
            tensors["tables.wide"] = tensors["tables.wide"] + 1
        case "no networks":
            tensors = {name: t for name, t in tensors.items() if not name.startswith("top_down.")}
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


def test_a_prior_that_computes_other_integers_is_refused() -> None:
    tensors = dict(frozen_tensors())
    tensors["prior.up.weight"] = tensors["prior.up.weight"].clone()
    tensors["prior.up.weight"][0, 0] += 1
    with pytest.raises(UsageError, match="do not give their known answer"):
        Model(tensors)


@pytest.mark.skipif(not int8_is_fast(), reason="this processor does not multiply bytes")
def test_bytes_and_floats_compute_the_same() -> None:
    answers = [known_answer(frozen_model(kernel).coding.prior) for kernel in ("float32", "int8")]
    assert torch.equal(*answers)
    assert torch.equal(answers[0], frozen_tensors()[KNOWN_ANSWER])


def test_what_shows_latents_has_an_id_of_its_own() -> None:
    tensors, model = dict(frozen_tensors()), frozen_model()
    other = Model(tensors | {"points.wide": tensors["points.wide"] + 1})
    assert other.id == model.id
    assert other.networks_id != model.networks_id
