"""Weight files that are damaged, or of something else, are refused in one line; priors are exact in every kernel."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_hyperprior import frozen_model, frozen_tensors
from safetensors.torch import save_file

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE, CHANNELS, PARTS, SIDE
from progressive.codecs.rmpgc.backbones.hyperprior.model import (
    ARCHITECTURE,
    KNOWN_ANSWER,
    NETWORKS,
    Model,
    joined_layers,
    known_answer,
)
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
            del tensors["tables.refined"]
        case "wrong shape":
            tensors["tables.base"] = tensors["tables.base"][:3]
        case "wrong sum":
            tensors["tables.base_hyper"] = tensors["tables.base_hyper"] + 1
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


@pytest.mark.parametrize("layer", ["base.spread", "base.out.2", "enhance.leave.1", "enhance.out.2"])
def test_priors_that_compute_other_integers_are_refused(layer: str) -> None:
    tensors, name = dict(frozen_tensors()), f"priors.{layer}.weight"
    tensors[name] = tensors[name].clone()
    tensors[name][0, 0] += 1
    with pytest.raises(UsageError, match="do not give their known answer"):
        Model(tensors)


@pytest.mark.skipif(not int8_is_fast(), reason="this processor does not multiply bytes")
def test_bytes_and_floats_compute_the_same() -> None:
    answers = [known_answer(frozen_model(kernel).coding.priors) for kernel in ("float32", "int8")]
    assert torch.equal(*answers)
    assert torch.equal(answers[0], frozen_tensors()[KNOWN_ANSWER])


@pytest.mark.parametrize("name", ["quantiser.base.octaves", "synthesis.leave.bias", "enhance_hyper.leave.bias"])
def test_what_chooses_and_shows_has_an_id_of_its_own(name: str) -> None:
    tensors, model = dict(frozen_tensors()), frozen_model()
    other = Model(tensors | {name: tensors[name] + 1})
    assert other.id == model.id
    assert other.networks_id != model.networks_id


def test_a_pickled_model_is_the_same(frozen: Model) -> None:
    again = pickle.loads(pickle.dumps(frozen))
    assert (again.id, again.networks_id) == (frozen.id, frozen.networks_id)


def test_a_latent_has_the_layers_that_are_coded_and_shows_the_photo(frozen: Model, photo: Photo) -> None:
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    layers = frozen.latent_of(pixels)
    found = tuple(tuple((part.shape[1], part.shape[2] // 2) for part in layer) for layer in layers)
    assert found == PARTS
    assert all(part.dtype == torch.int16 and part.shape[3] == part.shape[2] * 3 // 2 for ps in layers for part in ps)
    base, enhance = joined_layers(layers)
    assert (base.shape[1], enhance.shape[1]) == (BASE, CHANNELS)
    networks, mask = frozen.networks_on("cpu"), torch.ones(1, 1, 2 * SIDE, 3 * SIDE)
    full = networks.synthesise(layers, mask)
    nothing = [*layers[:-1], [torch.zeros_like(part) for part in layers[-1]]]
    coarse = networks.synthesise(nothing, 0 * mask)
    errors = [float((picture - pixels).square().mean()) for picture in (full, coarse)]
    assert errors[0] < errors[1] < float((pixels - 0.5).square().mean())


def test_complexity_is_that_of_detail(frozen: Model) -> None:
    """A bright and a dark calm half are alike; a busy one is not."""
    pixels = torch.full((1, 3, 64, 192), 0.2)
    pixels[..., 64:128] = 0.8
    pixels[..., 128:] = torch.from_numpy(np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32))
    channels = frozen.channels_of(frozen.latent_of(pixels))
    assert channels.shape[2:] == (SIDE, 3 * SIDE)
    variance = channels.var(1)[0].reshape(SIDE, 3, SIDE).mean((0, 2))
    assert float(variance[2]) > 3 * float(variance[:2].max())
