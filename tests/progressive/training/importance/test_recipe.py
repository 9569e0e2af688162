from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from progressive.__main__ import main
from progressive.errors import UsageError
from progressive.photos import sample_photo
from progressive.registry import find_trainable
from progressive.semantics.classifier import load_classifier
from progressive.semantics.importance_network import STRIDE, ImportanceNetwork, load_network
from progressive.semantics.preprocessing import CAFFE, TORCHVISION, Preprocessing
from progressive.semantics.sources import coarse_importance_map
from progressive.semantics.squeezenet import SqueezeNet
from progressive.training.fit import Fit
from progressive.training.importance.phases import Distilling, correlation
from progressive.training.importance.recipe import Importance, train
from progressive.training.importance.settings import SHIPPED, Settings
from progressive.training.importance.teacher import features_for_photos, teacher_map
from progressive.training.importance.views import SHAPES, Targets, View, choose_views, draw
from progressive.training.recipe import run
from progressive.training.settings import read_settings
from progressive.training.workers import Worker

ALONE = Worker(0, 1, torch.device("cpu"))
QUICK = ("views=2", "distillation.steps=4", "distillation.batch=2", "report=2", "checkpoint=2")
PHOTOS = [np.random.default_rng(i).integers(0, 256, (90 + 20 * i, 120, 3), dtype=np.uint8) for i in range(3)]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "random.safetensors"
    save_file(SqueezeNet().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for name in ("chelsea", "coffee", "rocket"):
        Image.fromarray(sample_photo(name)).resize((96, 72)).save(path / f"{name}.png")
    return path


def silent(_: str) -> None:
    pass


def settings(*changes: str) -> Settings:
    return read_settings(Settings, SHIPPED, changes=changes)


def recipe(out: Path, teacher: Path, log: Callable[[str], None] = silent) -> Importance:
    return Importance(settings(*QUICK, f"teacher={teacher}"), out=out, seed=0, worker=ALONE, log=log)


def test_a_run_writes_small_weights_that_load_and_leaves_nothing_else(
    folder: Path, teacher: Path, tmp_path: Path
) -> None:
    out, lines = tmp_path / "importance.safetensors", list[str]()
    run(recipe(out, teacher, lines.append), [folder], held_out=folder)
    assert list(tmp_path.iterdir()) == [out]
    assert out.stat().st_size < 2_000_000
    maps = load_network(out)(torch.rand(1, 3, 64, 80))
    assert maps.shape == (1, 4, 5)
    assert any("distillation 4/4, 8 samples seen: loss " in line for line in lines)
    assert any(re.search(r"distillation 4, photos set aside: correlation -?[\d.]+$", line) for line in lines)


def test_an_interrupted_run_that_is_resumed_ends_as_one_that_was_not(
    folder: Path, teacher: Path, tmp_path: Path
) -> None:
    whole, halves = tmp_path / "whole.safetensors", tmp_path / "halves.safetensors"
    run(recipe(whole, teacher), [folder])

    def interrupt(line: str) -> None:
        if "distillation 4/4" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe(halves, teacher, interrupt), [folder])
    assert {p.suffix for p in tmp_path.glob("halves.*")} == {".state", ".teacher"}
    run(recipe(halves, teacher), [folder], resume=True)
    assert {p.suffix for p in tmp_path.glob("halves.*")} == {".safetensors"}
    for name, tensor in load_file(whole).items():
        torch.testing.assert_close(load_file(halves)[name], tensor)


def test_training_draws_the_network_towards_the_teacher() -> None:
    torch.manual_seed(1)
    quick = settings("distillation.batch=4", "distillation.feature_rate=2e-3")
    cells = (SHAPES[2][0] // STRIDE, SHAPES[2][1] // STRIDE)
    bright = np.zeros((3, *cells), np.float32)
    photos = []
    for i in range(3):
        bright[i, 3 * i : 3 * i + 4, 4 * i : 4 * i + 4] = 1
        photos.append((255 * bright[i].repeat(8, 0).repeat(8, 1)[:, :, None].repeat(3, 2)).astype(np.uint8))
    views = tuple(View(i, 0, 0, *p.shape[:2], shape=2) for i, p in enumerate(photos))
    targets = Targets(views, torch.from_numpy(bright))
    network = ImportanceNetwork()
    fit = Fit(Distilling(network, quick.distillation, photos, [targets], [], []), quick)

    def apart() -> float:
        batch = draw(photos, targets, 8, np.random.default_rng(2))
        with torch.inference_mode():
            return float(1 - correlation(network(batch[0]).sigmoid(), batch[1]).mean())

    before = apart()
    for step in range(30):
        fit.learn(np.random.default_rng(step), quick.distillation.learning_rate, ALONE)
    assert apart() < before / 2
    slow, fast = (dict(model.named_buffers())["normalise.running_mean"] for model in (fit.average, network))
    assert slow.any()
    assert not torch.equal(slow, fast)


def test_the_teacher_s_map_is_the_source_s_but_for_the_mirror_image(teacher: Path) -> None:
    photo = sample_photo("coffee")
    plain = coarse_importance_map(photo, "gradcam++", classifier_weights=teacher)
    flipped = np.ascontiguousarray(photo[:, ::-1])
    mirrored = coarse_importance_map(flipped, "gradcam++", classifier_weights=teacher)[:, ::-1]
    maps = teacher_map(load_classifier(teacher), photo, plain.shape)
    np.testing.assert_allclose(maps, (plain + mirrored) / 2, atol=2e-3)


@pytest.mark.parametrize("preprocessing", [CAFFE, TORCHVISION])
def test_the_network_starts_from_the_classifier_s_features(teacher: Path, preprocessing: Preprocessing) -> None:
    """They differ at the borders only, where ours are padded."""
    classifier = replace(load_classifier(teacher), preprocessing=preprocessing)
    first = ImportanceNetwork().features[:2]
    first.load_state_dict({n: t for n, t in features_for_photos(classifier).items() if n.startswith("0.")})
    rgb = torch.rand(1, 3, 34, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = classifier.network.features[:2](preprocessing.normalise(rgb[:, :, 1:, 1:]))
        found = first(2 * rgb - 1)[:, :, 1:, 1:]
    torch.testing.assert_close(found, expected, atol=1e-4 * float(expected.max()), rtol=1e-4)


def test_views_lie_inside_their_photos_of_which_the_first_is_the_whole() -> None:
    views = choose_views(PHOTOS, 20, np.random.default_rng(0))
    assert len(views) == 3 * 20
    for number, view in enumerate(views):
        assert view.of(PHOTOS).shape == (view.height, view.width, 3)
        height, width = SHAPES[view.shape]
        assert view.height / view.width == pytest.approx(height / width, rel=0.35)
        assert number % 20 or view.of(PHOTOS).shape == PHOTOS[view.photo].shape


def test_inputs_and_targets_are_mirrored_together() -> None:
    """The target is the photo's own brightness: whatever is drawn, the two stay correlated."""
    height, width = SHAPES[0]
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None, :, None].repeat(height, 0).repeat(3, 2)
    cells = torch.linspace(0, 1, width // STRIDE).expand(1, height // STRIDE, -1)
    targets = Targets((View(0, 0, 0, height, width, 0),), cells)
    rgb, maps = draw([ramp], targets, 16, np.random.default_rng(0))
    seen = torch.nn.functional.avg_pool2d(rgb, STRIDE).mean(1)
    assert (correlation(seen, maps) > 0.9).all()
    assert (maps[:, 0, 0] == 0).any()
    assert (maps[:, 0, 0] == 1).any()


def test_correlation_is_pearson_s() -> None:
    a, b = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(0)), torch.rand(2, 5, 6)
    expected = [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(correlation(a, b).numpy(), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(correlation(torch.ones(1, 3, 3), a[:1, :3, :3]), torch.zeros(1))


def test_without_photos_teacher_or_weights_it_says_so(folder: Path, teacher: Path, tmp_path: Path) -> None:
    out = tmp_path / "importance.safetensors"
    with pytest.raises(UsageError, match="no photos below"):
        train([tmp_path], out, changes=[f"teacher={teacher}"], log=silent)
    with pytest.raises(UsageError, match="no classifier weights at"):
        train([folder], out, changes=[f"teacher={tmp_path / 'none.pth'}"], log=silent)
    with pytest.raises(UsageError, match="nothing to resume"):
        train([folder], out, changes=[f"teacher={teacher}"], resume=True, log=silent)


def test_the_command_line_trains_it(call: Callable[..., Any], folder: Path, teacher: Path, tmp_path: Path) -> None:
    out = tmp_path / "importance.safetensors"
    arguments = ("--data", folder, "--out", out, "--photos", 1, "--steps", 1, "--set", f"teacher={teacher}")
    assert call(main, "train", "importance", *arguments).status == 0
    assert load_network(out) is not None
    refused = call(main, "train", "dual_autoencoder", *arguments)
    assert refused.status == 2
    assert refused.err.startswith("error: --set: 'teacher' is no setting here: use one of photos, held_out, ")


def test_recipes_are_found_by_name() -> None:
    assert find_trainable("importance").weights == "importance.safetensors"
    assert find_trainable("dual_autoencoder").weights == "dual_autoencoder.safetensors"
    with pytest.raises(UsageError, match="'nothing' is nothing that can be trained: use one of dual_autoencoder, hier"):
        find_trainable("nothing")
