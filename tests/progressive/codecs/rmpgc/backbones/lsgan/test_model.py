"""Weight files that are damaged, or of something else, are refused in one line; pieces of pictures join."""

from __future__ import annotations

import pickle
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_lsgan import frozen_model, frozen_tensors
from safetensors.torch import save_file

from progressive.codecs.rmpgc.backbones.lsgan import networks
from progressive.codecs.rmpgc.backbones.lsgan.backbone import Lsgan
from progressive.codecs.rmpgc.backbones.lsgan.model import ARCHITECTURE, CODEC, Model
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, VARIANTS
from progressive.codecs.rmpgc.backbones.masked.picture import latent_of, picture_of
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import Layout
from progressive.errors import UsageError
from progressive.metrics import psnr
from progressive.photos import sample_photo
from progressive.segments import pieces

SAYS = {"architecture": ARCHITECTURE, "networks": networks.SHAPE, "variant": "rmpgc"}


def written(path: Path, tensors: dict[str, torch.Tensor], says: dict[str, str] = SAYS) -> Path:
    halved = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in tensors.items()}
    save_file(halved, path, metadata=says)
    return path


@pytest.mark.parametrize("damage", ["missing", "empty", "no table", "wrong sum", "no networks", "variant"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path, tensors, says = tmp_path / "a.safetensors", dict(frozen_tensors()), dict(SAYS)
    match damage:
        case "empty":
            path.touch()
        case "no table":
            del tensors["tables.levels"]
        case "wrong sum":
            tensors["tables.levels"] = tensors["tables.levels"] + 1
        case "no networks":
            tensors = {name: t for name, t in tensors.items() if "synthesis" not in name}
        case "variant":
            says["variant"] = "mpgc-7"
    if damage not in {"missing", "empty"}:
        written(path, tensors, says)
    with pytest.raises(UsageError, match="cannot read|not those of") as refusal:
        Model.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("what", ["architecture", "networks"])
def test_weights_of_another_architecture_are_refused_with_both_names(tmp_path: Path, what: str) -> None:
    path = written(tmp_path / "a.safetensors", dict(frozen_tensors()), SAYS | {what: "another-9"})
    with pytest.raises(UsageError, match=f"of the {what} another-9, this version has") as refusal:
        Model.load(path)
    assert SAYS[what] in str(refusal.value)


def test_the_id_names_the_table_and_the_variant_alone() -> None:
    tensors, model = dict(frozen_tensors()), frozen_model()
    name = "generator.synthesis.enter.bias"
    better = Model(tensors | {name: tensors[name] + 1}, "rmpgc")
    assert better.id == model.id
    assert better.networks_id != model.networks_id
    assert len({frozen_model(variant).id for variant in VARIANTS}) == len(VARIANTS)


def test_it_is_named_after_its_codec_and_can_be_pickled() -> None:
    codec = Rmpgc(Lsgan(frozen_model()))
    assert codec.name == CODEC
    again: Rmpgc = pickle.loads(pickle.dumps(codec))
    photo = sample_photo("chelsea")[:100, :140]
    assert again.encode(photo) == codec.encode(photo)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pieces_of_a_large_photo_join(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, photo = frozen_model(variant), np.concatenate([sample_photo("chelsea")[:128, :448]] * 2, 1)
    layout = Layout(photo.shape[1], photo.shape[0], Lsgan(model).depth)
    mask = np.zeros((layout.rows * model.side, layout.columns * model.side), bool)
    mask[:, ::3] = True
    latents, pictures = [], []
    for piece in (32, 5):
        monkeypatch.setattr(pieces, "PIECE", piece)
        with torch.inference_mode():
            latents.append(latent_of(photo, layout, model))
            networks_on = model.networks_on("cpu")
            pictures.append(picture_of(latents[0], mask, layout, model, networks_on, torch.device("cpu")))
    parts = zip(*(chain.from_iterable(layers) for layers in latents), strict=True)
    assert sum(int((a != b).sum()) for a, b in parts) <= 4  # values next to the edge of a bin
    assert psnr(*pictures) > 50


def test_complexity_is_of_all_channels() -> None:
    model = frozen_model("mpgc-2")
    layers = model.latent_of(torch.rand(1, 3, 64, 128))
    assert model.channels_of(layers).shape == (1, CHANNELS, 8, 16)
    assert torch.equal(model.channels_of(layers)[0], layers[-1][0][0].float())
