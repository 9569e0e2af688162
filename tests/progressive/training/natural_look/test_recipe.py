from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.natural import load_natural
from progressive.photos import downscale, sample_photo
from progressive.training.discriminators import COUNT, Discriminators, deceiving, telling_apart
from progressive.training.features import Features
from progressive.training.natural_look.recipe import NaturalLook
from progressive.training.natural_look.settings import SHIPPED, Settings
from progressive.training.recipe import run
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

OPTIONS = {"photos": 4, "coded_crops": 2, "report": 1, "checkpoint": 2, "warm_up": 1}
OPTIONS |= {
    f"{phase}.{key}": value for phase in ("features", "adversarial") for key, value in (("batch", 2), ("crop", 64))
}
OPTIONS |= {"features.steps": 2, "adversarial.steps": 3}


def silent(_: str) -> None:
    pass


def recipe(out: Path, log: Callable[[str], None] = silent) -> NaturalLook:
    settings = read_settings(Settings, SHIPPED, changes=[f"{key}={value}" for key, value in OPTIONS.items()])
    return NaturalLook(settings, out=out, seed=0, worker=Worker(0, 1, torch.device("cpu")), log=log)


@pytest.fixture(scope="module")
def faithful() -> Model:
    return Model.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=20_000)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "weights.safetensors"
    run(recipe(out), [folder])
    return out


def test_a_look_begins_with_the_faithful_one_and_leaves_it(weights: Path, faithful: Model) -> None:
    before, after = faithful.synthesis.state_dict(), load_natural(faithful.linear_id, weights).state_dict()
    drift = max(float((before[name] - after[name]).abs().max()) for name in before)
    assert 1e-4 < drift < 0.1


def test_an_interrupted_run_that_is_resumed_ends_as_one_that_was_not(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    """Also where discriminators have begun to learn."""
    out = tmp_path / "halves.safetensors"

    def interrupt(line: str) -> None:
        if "adversarial 2, photos set aside" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(out, interrupt), [folder], held_out=folder)
    run(recipe(out), [folder], held_out=folder, resume=True)
    assert out.read_bytes() == weights.read_bytes()


def test_finished_weights_are_trained_further(folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.safetensors"
    out.write_bytes(weights.read_bytes())
    run(recipe(out), [folder], resume=True)
    name = "leave.weight"
    assert 0 < (load_file(out)[name].float() - load_file(weights)[name].float()).abs().max() < 0.1


def test_discriminators_and_synthesis_pull_the_verdicts_apart() -> None:
    photos, pictures = [torch.ones(2, 1, 3, 3)], [torch.zeros(2, 1, 3, 3)]
    assert telling_apart(photos, pictures) == 0
    assert telling_apart(pictures, photos) == 2
    assert deceiving(pictures) == 1
    assert deceiving(photos) == 0


def test_each_discriminator_sees_half_of_the_resolution_of_the_one_before() -> None:
    verdicts = Discriminators().verdicts(torch.rand(2, 3, 128, 64), torch.ones(2, 2, 1))
    assert [tuple(of.shape) for of in verdicts] == [(2, 1, 16 >> n, 8 >> n) for n in range(COUNT)]


def test_features_find_blur_further_away_than_a_change_of_one_grey_level() -> None:
    photo = torch.from_numpy(np.ascontiguousarray(sample_photo("chelsea")[:128, :128])).permute(2, 0, 1)[None] / 255
    blurred = torch.nn.functional.avg_pool2d(photo, 5, 1, 2)
    features = Features()
    assert features.distance(photo, photo).item() == pytest.approx(0, abs=1e-6)
    assert features.distance(blurred, photo) > 20 * features.distance((photo + 1 / 255).clamp(0, 1), photo)
