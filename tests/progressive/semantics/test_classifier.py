import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from progressive.errors import UsageError
from progressive.photos import sample_photo
from progressive.semantics.classifier import VARIABLE, find_weights, load_classifier
from progressive.semantics.downloads import PUBLISHED
from progressive.semantics.preprocessing import CAFFE, TORCHVISION, Preprocessing
from progressive.semantics.squeezenet import SqueezeNet

DESCRIPTION = {"order": "BGR", "scale": 2, "mean": [0.1, 0.2, 0.3], "std": [1, 2, 4], "side": 64}
PHOTO = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> SqueezeNet:
    torch.manual_seed(0)
    return SqueezeNet().eval()


@pytest.fixture
def weights(network: SqueezeNet, tmp_path: Path) -> Path:
    path = tmp_path / "squeezenet.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weights in the environment, an empty cache, nothing that may be downloaded; gives the cache folder."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("nobody asked for a download")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "cache" / "progressive"


def test_the_network_has_torchvision_s_parameters(network: SqueezeNet) -> None:
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    assert sum(p.numel() for p in network.parameters()) == 1_235_496
    assert len(shapes) == 52
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.6.expand3x3.weight"] == (128, 32, 3, 3)
    assert shapes["features.12.squeeze.bias"] == (64,)
    assert shapes["classifier.1.weight"] == (1000, 512, 1, 1)


@pytest.mark.parametrize(("side", "cells"), [(224, 13), (227, 14), (17, 1)])
def test_features_are_at_a_sixteenth_of_the_resolution(network: SqueezeNet, side: int, cells: int) -> None:
    with torch.inference_mode():
        assert network.features(torch.zeros(1, 3, side, side)).shape == (1, 512, cells, cells)


def test_a_loaded_classifier_gives_the_probabilities_of_its_network(network: SqueezeNet, weights: Path) -> None:
    loaded = load_classifier(weights)
    probabilities = loaded.probabilities([PHOTO, PHOTO[::-1, ::-1]])
    assert probabilities.shape == (2, 1000)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-4)
    with torch.inference_mode():
        expected = network(TORCHVISION.squares([PHOTO])).softmax(1).numpy()
    np.testing.assert_allclose(probabilities[:1], expected, rtol=1e-4, atol=1e-6)
    assert not any(p.requires_grad for p in loaded.network.parameters())


def test_half_precision_weights_are_read(network: SqueezeNet, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({name: t.half() for name, t in network.state_dict().items()}, path)
    assert load_classifier(path).network.features[0].weight.dtype == torch.float32


def test_torchvision_s_own_file_is_read(network: SqueezeNet, tmp_path: Path) -> None:
    path = tmp_path / "squeezenet1_1.pth"
    torch.save(network.state_dict(), path)
    found = load_classifier(path)
    assert torch.equal(found.network.features[0].weight, network.features[0].weight)
    assert found.preprocessing == TORCHVISION


def test_preprocessing_by_hand() -> None:
    rgb = torch.tensor([0.25, 0.5, 1.0])[None, :, None, None].expand(1, 3, 2, 2)
    caffe = CAFFE.normalise(rgb)[0, :, 0, 0]
    torch.testing.assert_close(caffe, torch.tensor([255 - 104, 127.5 - 117, 63.75 - 123]))
    torchvision = TORCHVISION.normalise(rgb)[0, :, 1, 1]
    expected = torch.tensor([(0.25 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    torch.testing.assert_close(torchvision, expected)


def test_a_whole_photo_keeps_its_shape_unless_it_is_very_long() -> None:
    assert CAFFE.whole(np.zeros((512, 768, 3), np.uint8)).shape == (1, 3, 227, 340)
    assert CAFFE.whole(np.zeros((768, 512, 3), np.uint8)).shape == (1, 3, 340, 227)
    assert CAFFE.whole(np.zeros((1, 5000, 3), np.uint8)).shape == (1, 3, 227, 681)


def test_the_description_is_found_in_metadata_before_the_sidecar_before_the_name(
    network: SqueezeNet, tmp_path: Path
) -> None:
    path = tmp_path / "squeezenet_caffe.safetensors"
    described = Preprocessing("BGR", 2.0, (0.1, 0.2, 0.3), (1.0, 2.0, 4.0), 64)
    save_file(network.state_dict(), path)
    assert load_classifier(path).preprocessing == CAFFE
    path.with_suffix(".json").write_text(json.dumps(DESCRIPTION))
    assert load_classifier(path).preprocessing == described
    save_file(network.state_dict(), path, metadata={"preprocessing": json.dumps(DESCRIPTION | {"side": 96})})
    assert load_classifier(path).preprocessing.side == 96


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", *(json.dumps(DESCRIPTION | c) for c in ({"order": "GRB"}, {"std": [1, 0, 1]}, {"side": 5}))],
)
def test_a_description_that_makes_no_sense_is_refused(weights: Path, text: str) -> None:
    weights.with_suffix(".json").write_text(text)
    with pytest.raises(UsageError, match="preprocessing in .*json"):
        load_classifier(weights)


def test_classes_are_named_by_the_file_beside_the_weights(weights: Path) -> None:
    assert load_classifier(weights).class_names[7] == "class 7"
    names = weights.with_name("imagenet_synsets.txt")
    names.write_text("n1 tench, Tinca tinca\n" + "n2 goldfish\n" * 999)
    assert load_classifier(weights).class_names[:2] == ("tench", "goldfish")
    names.write_text("n1 tench\n")
    with pytest.raises(UsageError, match="names 1 classes"):
        load_classifier(weights)


def test_missing_weights_are_not_downloaded_unasked_but_say_how_to_get_them(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no classifier weights at .*nowhere.pth.*--classifier-weights") as given:
        load_classifier(tmp_path / "nowhere.pth")
    with pytest.raises(UsageError, match=f"{offline}.*progressive download classifier.*{VARIABLE}") as nothing:
        load_classifier()
    assert all("\n" not in str(error.value) for error in (given, nothing))
    assert not offline.exists() or not any(offline.iterdir())


def test_the_path_given_comes_before_the_environment_before_the_cache(
    offline: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline.mkdir(parents=True)
    cached = PUBLISHED["classifier"].path
    cached.touch()
    assert find_weights() == cached
    monkeypatch.setenv(VARIABLE, str(weights))
    assert find_weights() == weights
    assert find_weights(cached) == cached


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("size", [0, 7, 1000, 2_000_000])
def test_truncated_weights_are_refused(network: SqueezeNet, tmp_path: Path, suffix: str, size: int) -> None:
    path = tmp_path / f"cut{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    os.truncate(path, size)
    with pytest.raises(UsageError, match="damaged or no weights at all: run .* or give a SqueezeNet"):
        load_classifier(path)


def test_another_network_s_weights_are_refused(network: SqueezeNet, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    tensors = network.state_dict()
    for other, name in (
        ({n: t for n, t in tensors.items() if n != "features.3.squeeze.bias"}, "features.3.squeeze.bias"),
        (tensors | {"features.0.weight": torch.zeros(96, 3, 7, 7)}, "features.0.weight"),
        (tensors | {"fc.weight": torch.zeros(3)}, "fc.weight"),
    ):
        save_file(other, path)
        with pytest.raises(UsageError, match=f"not SqueezeNet 1.1's \\({name} differs\\)"):
            load_classifier(path)
    torch.save([1, 2], path.with_suffix(".pth"))
    with pytest.raises(UsageError, match="damaged or no weights"):
        load_classifier(path.with_suffix(".pth"))


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} names no trained weights")
def test_trained_weights_recognise_what_the_sample_photos_show() -> None:
    loaded = load_classifier()
    cat, coffee = loaded.probabilities([sample_photo("chelsea"), sample_photo("coffee")])
    assert cat[[281, 282, 285]].sum() > 0.8  # tabby, tiger cat, Egyptian cat
    assert coffee.argmax() == 967  # espresso
