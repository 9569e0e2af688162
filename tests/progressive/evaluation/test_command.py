from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from progressive.errors import UsageError
from progressive.evaluation.command import Settings, evaluate
from progressive.photos import downscale, sample_photo
from progressive.semantics.squeezenet import SqueezeNet

CODEC = "dual_autoencoder"
SETTINGS = Settings(codec=CODEC, against=("jpeg",), rates=(0.3, 0.5), cuts=3)


@pytest.fixture(autouse=True)
def no_weights_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("PROGRESSIVE_CLASSIFIER", "PROGRESSIVE_LPIPS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("chelsea", "coffee"):
        Image.fromarray(downscale(sample_photo(name), max_pixels=40_000)).save(photos / f"{name}.png")
    return photos


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "squeezenet.safetensors"
    save_file(SqueezeNet().state_dict(), path)
    return path


def run(source: Path, output: Path, settings: Settings) -> tuple[str, dict]:
    lines: list[str] = []
    evaluate(str(source), settings, output=output, log=lines.append)
    return lines[-1], json.loads((output / "evaluation.json").read_text())


def test_an_evaluation_prints_and_saves_its_protocol_table_and_points(folder: Path, tmp_path: Path) -> None:
    printed, record = run(folder, tmp_path / "out", SETTINGS)
    assert "every header counted" in printed
    assert "- jpeg: progressive, " in printed
    assert "| mean | 0.3 |" in printed
    assert f"| bytes of {CODEC} beside | at equal PSNR |" in printed
    assert printed.startswith((tmp_path / "out" / "evaluation.md").read_text().strip())
    assert np.asarray(Image.open(tmp_path / "out" / "evaluation.png")).size
    assert {row["photo"] for row in record["rows"]} == {"chelsea", "coffee", "mean"}
    assert [c["system"] for c in record["curves"]] == [CODEC, "jpeg"] * 2
    assert all(8 * p["bytes"] <= 0.5 * c["pixels"] for c in record["curves"] for p in c["points"])
    ours = record["curves"][0]
    assert 3 <= len(ours["points"]) <= 5


def test_peers_are_measured_without_a_codec_too(folder: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, codec=None, against=("webp", "jpeg"), rates=(0.5, 0.7, 0.9, 1.2))
    printed, record = run(folder, tmp_path / "out", settings)
    assert "| photo | bpp | webp | jpeg | photos |" in printed
    assert "| bytes of webp beside |" in printed
    assert "one stream a photo" not in printed
    assert {b["peer"] for b in record["bd_rates"]} == {"jpeg"}
    assert [c["system"] for c in record["curves"]] == ["webp", "jpeg"] * 2


def test_any_number_of_workers_gives_the_same_figures(folder: Path, tmp_path: Path) -> None:
    alone = run(folder, tmp_path / "alone", SETTINGS)[1]
    together = run(folder, tmp_path / "together", replace(SETTINGS, workers=2))[1]
    assert together["settings"].pop("workers") == 2
    assert alone["settings"].pop("workers") == 1
    assert alone == together


def test_labels_beside_the_photos_bring_recognition(folder: Path, tmp_path: Path, classifier: Path) -> None:
    (folder / "labels.tsv").write_text("chelsea.png\t285\ncoffee.png\t967\n")
    printed, record = run(folder, tmp_path / "out", replace(SETTINGS, classifier_weights=classifier))
    assert "pooled" in printed
    assert {r["bpp"] for r in record["recognition"]} == {0.3, 0.5, None}
    assert all(0 <= p["probability"] <= 1 for c in record["curves"] for p in c["points"])


def test_labels_without_a_classifier_are_a_note_unless_they_were_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = folder / "labels.tsv"
    labels.write_text("chelsea.png\t285\n")
    monkeypatch.setenv("PROGRESSIVE_CLASSIFIER", str(tmp_path / "nowhere"))
    printed, record = run(folder, tmp_path / "out", replace(SETTINGS, against=()))
    assert "Nothing was recognised: no classifier weights at" in printed
    assert not record["recognition"]
    with pytest.raises(UsageError, match="no classifier weights"):
        run(folder, tmp_path / "out", replace(SETTINGS, labels=labels))


def test_a_limit_spreads_over_the_folder(tmp_path: Path, thumbnails: str) -> None:
    for number in range(9):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / f"{number}.png")
    record = run(tmp_path, tmp_path / "out", Settings(codec=thumbnails, rates=(1.0, 9.0), limit=3))[1]
    assert {c["photo"] for c in record["curves"]} == {"0", "3", "6"}


def test_what_is_wrong_is_said_before_any_work(tmp_path: Path) -> None:
    for wrong, message in (
        (replace(SETTINGS, against=("jpg",)), "unknown peer 'jpg'.*jpeg"),
        (replace(SETTINGS, against=("jpeg", "jpeg")), "named twice"),
        (replace(SETTINGS, codec="gif"), "unknown codec"),
        (replace(SETTINGS, codec=None, against=()), "nothing to measure"),
        (replace(SETTINGS, codec=None, context="classify"), "peers have no contexts"),
        (replace(SETTINGS, context="blind"), "one way only"),
        (replace(SETTINGS, context="classify"), "leave --context out"),
        (SETTINGS, "no such file or folder"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate(str(tmp_path / "nowhere"), wrong, output=tmp_path / "out", log=print)
    assert not (tmp_path / "out").exists()
