from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from progressive.codecs.dual_autoencoder.codec import DualAutoencoder
from progressive.codecs.dual_autoencoder.model import Model
from progressive.errors import UsageError
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.training.data import load_photos
from progressive.training.dual_autoencoder.recipe import DualAutoencoder as Training
from progressive.training.dual_autoencoder.recipe import train
from progressive.training.dual_autoencoder.settings import SHIPPED, Settings
from progressive.training.recipe import run
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

OPTIONS = {"photos": 3, "blocks": 4000, "rounds": 3, "report": 2, "checkpoint": 2}
OPTIONS |= {"filter.steps": 3, "filter.batch": 2, "filter.crop": 16}
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
        Image.fromarray(downscale(sample_photo(name), max_pixels=50_000)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "weights.safetensors"
    run(recipe(out), [folder])
    return out


def test_trained_weights_code_a_photo_they_have_not_seen(weights: Path) -> None:
    codec = DualAutoencoder(Model.load(weights))
    photo = downscale(sample_photo("astronaut"), max_pixels=50_000)
    stream = codec.encode(photo)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    assert psnr(decoder.picture(), photo) > 22


def test_the_same_seed_gives_the_same_weights(folder: Path, weights: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    run(recipe(again), [folder])
    assert again.read_bytes() == weights.read_bytes()


def test_resuming_improves_the_filter_and_keeps_old_streams_readable(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    resumed = tmp_path / "resumed.safetensors"
    resumed.write_bytes(weights.read_bytes())
    train([folder], resumed, photos=3, steps=0, resume=True, changes=CHANGES, device="cpu", log=silent)
    assert Model.load(resumed).id == Model.load(weights).id
    run(recipe(resumed), [folder], resume=True)
    assert Model.load(resumed).id == Model.load(weights).id
    before, after = load_file(weights), load_file(resumed)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("filter.") for name in changed)


def test_an_interrupted_run_that_is_resumed_ends_as_one_that_was_not(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    """The linear parts lie in its state."""
    out = tmp_path / "halves.safetensors"

    def interrupt(line: str) -> None:
        if "filter 3, photos set aside" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(out, interrupt), [folder], held_out=folder)
    assert [p.name for p in tmp_path.iterdir()] == ["halves.state"]
    run(recipe(out), [folder], held_out=folder, resume=True)
    assert out.read_bytes() == weights.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["halves.safetensors"]


def test_a_folder_without_photos_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photos below"):
        load_photos([tmp_path], limit=3, seed=0)
