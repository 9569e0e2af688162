from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.metrics.perceptual import (
    FILE,
    PerceptualDistance,
    find_linear_weights,
    load_perceptual_distance,
)
from progressive.photos import sample_photo
from progressive.semantics.classifier import Classifier
from progressive.semantics.preprocessing import CAFFE, Preprocessing
from progressive.semantics.squeezenet import SqueezeNet

CHANNELS = (64, 128, 256, 384, 384, 512, 512)
LAYERS = (1, 4, 7, 9, 10, 11, 12)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROGRESSIVE_CLASSIFIER", raising=False)
    monkeypatch.delenv("PROGRESSIVE_LPIPS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        f"lin{i}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator)
        for i, channels in enumerate(CHANNELS)
    }


@pytest.fixture(scope="module")
def distance(tensors: dict[str, torch.Tensor]) -> PerceptualDistance:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = SqueezeNet().eval().requires_grad_(False)
    return PerceptualDistance(Classifier(network, Preprocessing(), ()), tuple(t.flatten() for t in tensors.values()))


def noisy(photo: Photo, deviation: float) -> Photo:
    noise = np.random.default_rng(12).normal(0, deviation, photo.shape)
    return np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)


def by_definition(distance: PerceptualDistance, a: Photo, b: Photo) -> float:
    """Zhang et al. 2018, Eq. 1, position by position with NumPy from the layers' outputs."""

    def seen(photo: Photo) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = []
        x = torch.tensor((photo / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).permute(2, 0, 1)[None].float()
        for index, layer in enumerate(distance.classifier.network.features):
            x = layer(x)
            if index in LAYERS:
                outputs.append(x[0].permute(1, 2, 0).numpy().copy())
        return outputs

    total = 0.0
    for one, other, weights in zip(seen(a), seen(b), distance.linear, strict=True):
        rows, columns, _ = one.shape
        for i in range(rows):
            for j in range(columns):
                u, v = (x[i, j] / max(float(np.linalg.norm(x[i, j])), 1e-10) for x in (one, other))
                total += float((weights.numpy() * (u - v) ** 2).sum()) / (rows * columns)
    return total


def test_the_distance_is_the_papers(distance: PerceptualDistance) -> None:
    original = sample_photo("chelsea")[60:100, 100:148]
    picture = noisy(original, 20)
    assert distance(picture, original) == pytest.approx(by_definition(distance, picture, original), rel=1e-4)


def test_equal_pictures_are_at_no_distance_and_noise_drives_them_apart(distance: PerceptualDistance) -> None:
    original = sample_photo("coffee")[:96, :96]
    values = [distance(noisy(original, deviation), original) for deviation in (0, 10, 40)]
    assert values[0] == 0
    assert 0 < (values[1] or 0) < (values[2] or 0)
    picture = noisy(original, 10)
    assert distance(picture, original) == pytest.approx(distance(original, picture))


def test_pictures_without_a_position_left_have_no_distance(distance: PerceptualDistance) -> None:
    original = sample_photo()
    assert distance(original[:16], original[:16]) is None
    assert distance(original[:17, :17], original[:17, :17]) == 0
    with pytest.raises(UsageError, match="same size"):
        distance(original[:17, :18], original[:17, :17])


def test_the_name_tells_caffes_weights_from_torchvisions(distance: PerceptualDistance) -> None:
    caffe = PerceptualDistance(Classifier(distance.classifier.network, CAFFE, ()), distance.linear)
    assert (distance.name, caffe.name) == ("LPIPS (SqueezeNet)", "LPIPS (SqueezeNet-Caffe)")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_are_read_as_they_are_published(
    tmp_path: Path, distance: PerceptualDistance, tensors: dict[str, torch.Tensor], suffix: str
) -> None:
    classifier = tmp_path / "squeezenet.safetensors"
    save_file(distance.classifier.network.state_dict(), classifier)
    linear = tmp_path / f"linear{suffix}"
    save_file(tensors, linear) if suffix == ".safetensors" else torch.save(tensors, linear)
    loaded = load_perceptual_distance(linear, classifier)
    original = sample_photo()[:32, :32]
    picture = noisy(original, 20)
    assert loaded(picture, original) == pytest.approx(distance(picture, original))


def test_weights_are_looked_for_where_the_message_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"cache.*--lpips-weights"):
        find_linear_weights()
    with pytest.raises(UsageError, match=r"nowhere\.pth"):
        find_linear_weights(tmp_path / "nowhere.pth")
    places = [tmp_path / "cache" / "progressive" / FILE, tmp_path / "beside" / FILE, tmp_path / "named"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert find_linear_weights() == places[0]
    assert find_linear_weights(classifier_weights=tmp_path / "beside" / "net.safetensors") == places[1]
    monkeypatch.setenv("PROGRESSIVE_CLASSIFIER", str(tmp_path / "beside" / "net.safetensors"))
    assert find_linear_weights() == places[1]
    monkeypatch.setenv("PROGRESSIVE_LPIPS", str(places[2]))
    assert find_linear_weights() == places[2]


@pytest.mark.parametrize("name", ["linear.safetensors", "linear.pth"])
def test_damaged_or_other_weights_are_refused_in_a_line(
    tmp_path: Path, tensors: dict[str, torch.Tensor], name: str
) -> None:
    file = tmp_path / name
    other = {**tensors, "lin3.model.1.weight": torch.zeros(1, 5, 1, 1)}
    save_file(other, file) if file.suffix == ".safetensors" else torch.save(other, file)
    whole = file.read_bytes()
    for content in (whole, whole[: len(whole) // 2], b"", b"nonsense"):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="not of LPIPS on SqueezeNet"):
            load_perceptual_distance(file)


TRAINED = Path(os.environ.get("PROGRESSIVE_CLASSIFIER", ""))


@pytest.mark.skipif(
    "PROGRESSIVE_CLASSIFIER" not in os.environ, reason="needs PROGRESSIVE_CLASSIFIER and LPIPS beside it"
)
def test_with_trained_weights_blocking_is_worse_than_faint_noise() -> None:
    trained = load_perceptual_distance(classifier_weights=TRAINED)
    original = sample_photo()[:256, :256]
    blocks = np.repeat(np.repeat(original[::8, ::8], 8, 0), 8, 1)
    assert 0 < (trained(noisy(original, 2), original) or 0) < 0.1 < (trained(blocks, original) or 0)
