from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from progressive.codecs.recurrent.codec import Recurrent
from progressive.codecs.recurrent.model import Model
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.training.recipe import run
from progressive.training.recurrent.context import draw_groups
from progressive.training.recurrent.phases import draw_iterations
from progressive.training.recurrent.recipe import Recurrent as Training
from progressive.training.recurrent.settings import SHIPPED, Settings
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

OPTIONS = {"photos": 4, "coded_crops": 2, "linear_photos": 3, "report": 1, "checkpoint": 2, "warm_up": 1}
OPTIONS |= {"short.steps": 2, "short.batch": 2, "short.crop": 48, "short.unrolled": 2}
OPTIONS |= {"long.steps": 3, "long.batch": 2, "long.crop": 48, "long.latest": 4, "long.unrolled": 2}
OPTIONS |= {"context.steps": 4, "context.batch": 2, "context.crop": 64}
CHANGES = [f"{key}={value}" for key, value in OPTIONS.items()]


def silent(_: str) -> None:
    pass


def recipe(out: Path, log: Callable[[str], None] = silent) -> Training:
    settings = read_settings(Settings, SHIPPED, changes=CHANGES)
    return Training(settings, out=out, seed=0, worker=Worker(0, 1, torch.device("cpu")), log=log)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=40_000)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "weights.safetensors"
    run(recipe(out), [folder])
    return out


def test_trained_weights_code_a_photo_they_have_not_seen(weights: Path) -> None:
    codec, photo = Recurrent(Model.load(weights)), downscale(sample_photo("astronaut"), max_pixels=20_000)
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    assert psnr(decoder.picture(), photo) > 17


def test_an_interrupted_run_that_is_resumed_ends_as_one_that_was_not(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    """Also where the linear start was, which is found without steps."""
    out = tmp_path / "halves.safetensors"

    def interrupt(line: str) -> None:
        if "long 2, photos set aside" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(out, interrupt), [folder], held_out=folder)
    assert [p.name for p in tmp_path.iterdir()] == ["halves.state"]
    run(recipe(out), [folder], held_out=folder, resume=True)
    assert out.read_bytes() == weights.read_bytes()


def test_finished_weights_are_trained_further(folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.safetensors"
    out.write_bytes(weights.read_bytes())
    run(recipe(out), [folder], resume=True)
    before, after = load_file(weights), load_file(out)
    assert Model.load(out).id != Model.load(weights).id
    assert torch.equal(before["networks.linear.coefficient"], after["networks.linear.coefficient"])
    drift = (before["networks.decoder.refine.weight"].float() - after["networks.decoder.refine.weight"].float()).abs()
    assert 0 < drift.max() < 0.1


def test_iterations_that_are_drawn_differ_between_regions_and_stay_within_bounds() -> None:
    drawn = draw_iterations(torch.zeros(40, 1, 8, 8), 10, np.random.default_rng(0))
    assert drawn.min() == 0
    assert drawn.max() == 10
    assert torch.equal(drawn, drawn.round())
    assert (drawn.flatten(1).std(1) > 0.5).float().mean() > 0.5


def test_groups_that_are_drawn_are_whole_rows_or_regions() -> None:
    groups = draw_groups(torch.zeros(60, 1, 1, 8, 8), np.random.default_rng(0))
    shares = groups.float().mean((1, 2, 3))
    assert 0.1 < (shares == 1).float().mean() < 0.6
    assert 0.1 < shares[shares < 1].mean() < 0.6
