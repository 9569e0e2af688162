from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from progressive.errors import UsageError
from progressive.metrics import ms_ssim
from progressive.photos import sample_photo
from progressive.semantics.activation_maps import METHODS
from progressive.semantics.classifier import VARIABLE
from progressive.semantics.importance_network import coarse_importance
from progressive.semantics.sources import DEFAULT_SOURCE, SOURCES, check_source, coarse_importance_map, importance_map
from progressive.semantics.squeezenet import SqueezeNet


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file(SqueezeNet().state_dict(), path)
    return path


def test_every_method_is_a_source_and_our_network_the_default() -> None:
    assert set(SOURCES) == {"network", *METHODS}
    assert DEFAULT_SOURCE == "network"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("size", [(16, 16), (60, 90), (1, 1)])
def test_every_source_maps_any_photo_at_its_own_size(source: str, size: tuple[int, int], weights: Path) -> None:
    photo = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    importance = importance_map(photo, source, classifier_weights=weights)
    assert importance.shape == size
    assert importance.dtype == np.float32
    assert np.isfinite(importance).all()
    assert 0 <= importance.min() <= importance.max() <= 1


def test_the_default_needs_no_classifier(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    photo = sample_photo("chelsea")
    importance = importance_map(photo)
    coarse = coarse_importance(photo)
    height, width = (s // c * c for s, c in zip(photo.shape, coarse.shape, strict=False))
    cells = importance[:height, :width].reshape(coarse.shape[0], height // coarse.shape[0], coarse.shape[1], -1)
    assert np.corrcoef(cells.mean((1, 3)).ravel(), coarse.ravel())[0, 1] > 0.95
    with pytest.raises(UsageError, match="nowhere"):
        importance_map(photo, "gradcam++")


def test_sources_differ(weights: Path) -> None:
    photo = sample_photo("coffee")
    cam, plus_plus = (coarse_importance_map(photo, s, classifier_weights=weights) for s in ("cam", "gradcam++"))
    assert cam.shape == plus_plus.shape == (13, 20)
    assert not np.allclose(cam, plus_plus, atol=0.05)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown importance 'gradcam\\+': did you mean gradcam\\+\\+\\? Use one of"):
        check_source("gradcam+")


def test_importance_takes_a_photo_in_another_form_for_what_it_is() -> None:
    photo = sample_photo()[:128, :128]
    assert np.array_equal(importance_map((photo / 255).astype(np.float32)), importance_map(photo))
    with pytest.raises(UsageError, match="use uint8"):
        coarse_importance_map(photo.astype(np.int64))


def test_importance_and_similarity_are_the_same_whatever_the_caller_has_set() -> None:
    photo = sample_photo()[:192, :192]
    darker = (photo * 0.9).astype(np.uint8)
    expected, similarity = importance_map(photo), ms_ssim(photo, darker)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu"):
            assert np.array_equal(importance_map(photo), expected)
            assert ms_ssim(photo, darker) == similarity
    finally:
        torch.set_default_dtype(torch.float32)
