"""`importance`, `compare` and `accuracy` over a classifier of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CommandLine
from PIL import Image
from safetensors.torch import save_file

from progressive.__main__ import main
from progressive.photos import read_photo, sample_photo, write_png
from progressive.semantics.squeezenet import SqueezeNet


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        save_file(SqueezeNet().state_dict(), folder / "squeezenet.safetensors")
    stages = enumerate((64, 128, 256, 384, 384, 512, 512))
    linear = {f"lin{i}.model.1.weight": torch.ones(1, channels, 1, 1) for i, channels in stages}
    save_file(linear, folder / "lpips_squeeze_linear_v0.1.safetensors")
    return folder / "squeezenet.safetensors"


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("PROGRESSIVE_CLASSIFIER", "PROGRESSIVE_LPIPS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    original, picture = tmp_path / "original.png", tmp_path / "picture.jpg"
    write_png(original, sample_photo("chelsea")[:170, :200])
    Image.fromarray(read_photo(original)).save(picture, quality=20)
    return picture, original


def test_importance_draws_a_map(call: CommandLine, classifier: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "map.png"
    options = ("--importance", "gradcam++", "--classifier-weights", classifier, "--context", "classify")
    outcome = call(main, "importance", pair[1], "-o", output, *options)
    assert outcome.status == 0
    assert "gradcam++" in outcome.out
    assert read_photo(output).shape[1] == 2000


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--context", "paint"), "classify, reconstruct or hybrid|classify, reconstruct, hybrid"),
        (("--importance", "guess"), "gradcam"),
        (("--importance", "gradcam++"), "no classifier weights"),
        (("-o", "/no/folder/map.png"), "cannot write"),
    ],
)
def test_importance_that_cannot_be_drawn_is_refused(
    call: CommandLine,
    pair: tuple[Path, Path],
    options: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(main, "importance", pair[1], *options)
    assert outcome.status == 2
    assert len(outcome.err.splitlines()) == 1
    assert any(part in outcome.err for part in message.split("|"))
    assert not (tmp_path / "map.png").exists()


def test_compare_measures_by_every_metric(call: CommandLine, classifier: Path, pair: tuple[Path, Path]) -> None:
    options = ("--importance", "gradcam++", "--classifier-weights", classifier, "--json")
    outcome = call(main, "compare", *pair, *options)
    assert outcome.status == 0
    record = json.loads(outcome.out)
    assert record.pop("notes") == {}
    assert set(record) == {"psnr", "ssim", "ms_ssim", "si_ssim", "blockwise_si_ssim", "lpips"}
    assert all(np.isfinite(value) for value in record.values())


@pytest.mark.usefixtures("no_weights")
def test_compare_says_what_lacks_weights(call: CommandLine, pair: tuple[Path, Path]) -> None:
    outcome = call(main, "compare", *pair, "--importance", "gradcam++")
    assert outcome.status == 0
    lines = {line.strip().partition("  ")[0]: line for line in outcome.out.splitlines()}
    assert "no weights" in lines["LPIPS (SqueezeNet)"]
    assert "no weights" in lines["SI-SSIM, 8x8 blocks"]
    assert float(lines["PSNR (dB)"].split()[-1]) > 25


@pytest.mark.usefixtures("no_weights")
def test_compare_refuses_what_was_named_and_cannot_be_used(call: CommandLine, pair: tuple[Path, Path]) -> None:
    picture, original = pair
    for arguments in (
        (picture, original, "--lpips-weights", original),
        (picture, original, "--classifier-weights", original),
        (picture, original, "--importance", "guess"),
        (picture, original.with_name("gone.png")),
    ):
        outcome = call(main, "compare", *arguments)
        assert outcome.status == 2
        assert len(outcome.err.splitlines()) == 1


def test_accuracy_counts_a_labelled_folder(call: CommandLine, classifier: Path, pair: tuple[Path, Path]) -> None:
    folder = pair[0].parent
    (folder / "labels.tsv").write_text("original.png\t1\npicture.jpg\t999\n")
    outcome = call(main, "accuracy", folder, "--classifier-weights", classifier, "--json")
    assert outcome.status == 0
    record = json.loads(outcome.out)
    assert record["photos"] == 2
    assert 0 <= record["top1"] <= record["top5"] <= 1
    assert "2 photos: top-1" in call(main, "accuracy", folder, "--classifier-weights", classifier).out
    assert call(main, "accuracy", folder / "none").status == 2
