from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from progressive.codecs.dual_autoencoder.codec import DualAutoencoder
from progressive.codecs.dual_autoencoder.model import Model
from progressive.errors import UsageError
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.training.data import load_photos
from progressive.training.dual_autoencoder import Recipe, run, train

QUICK = Recipe(photos=3, blocks=4000, rounds=3, steps=3, batch=2, crop=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=50_000)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "weights.safetensors"
    run([folder], out, recipe=QUICK, resume=False, log=lambda line: None)
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
    run([folder], again, recipe=QUICK, resume=False, log=lambda line: None)
    assert again.read_bytes() == weights.read_bytes()


def test_resuming_improves_the_filter_and_keeps_old_streams_readable(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    resumed = tmp_path / "resumed.safetensors"
    resumed.write_bytes(weights.read_bytes())
    train([folder], resumed, photos=3, steps=0, resume=True, log=lambda line: None)
    assert Model.load(resumed).id == Model.load(weights).id
    run([folder], resumed, recipe=QUICK, resume=True, log=lambda line: None)
    assert Model.load(resumed).id == Model.load(weights).id
    before, after = load_file(weights), load_file(resumed)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("filter.") for name in changed)


def test_a_folder_without_photos_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photos below"):
        load_photos([tmp_path], limit=3, seed=0)
