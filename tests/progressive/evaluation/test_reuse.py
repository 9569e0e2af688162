from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from progressive.__main__ import main
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation import report
from progressive.evaluation.command import Settings, evaluate
from progressive.evaluation.meter import load_judges
from progressive.evaluation.peers import PEERS, Peer
from progressive.evaluation.peers.search import CodedFile
from progressive.evaluation.reuse import key, photo_digest, read_curves
from progressive.semantics.squeezenet import SqueezeNet

PEER = Settings(codec=None, against=("flat",), rates=(1.0, 3.0))


class Flat:
    """A peer whose one file holds the mean of the photo; it counts how often it is asked."""

    def __init__(self) -> None:
        self.version = "flat 1.0"
        self.asked = 0

    def files(self, photo: Photo, limits: Sequence[int]) -> Iterator[CodedFile]:
        self.asked += 1
        yield CodedFile(min(limits), lambda: np.full_like(photo, round(photo.mean())), "mean")


@pytest.fixture(autouse=True)
def flat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flat:
    for variable in ("PROGRESSIVE_CLASSIFIER", "PROGRESSIVE_LPIPS"):
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    monkeypatch.setattr(report, "plot", lambda curves, summary: b"")
    peer = Flat()
    monkeypatch.setitem(PEERS, "flat", Peer(peer.files, lambda: peer.version))
    return peer


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, grey in (("dark", 40), ("light", 200)):
        save(folder / f"{name}.png", grey)
    return folder


@pytest.fixture
def earlier(photos: Path, tmp_path: Path, flat: Flat) -> Path:
    run(photos, PEER, tmp_path / "earlier")
    flat.asked = 0
    return tmp_path / "earlier" / "evaluation.json"


def save(path: Path, grey: int) -> None:
    ramp = np.add.outer(np.arange(20), np.arange(30))
    Image.fromarray(np.repeat((grey + ramp).astype(np.uint8)[..., None], 3, axis=2)).save(path)


def run(photos: Path, settings: Settings, output: Path) -> tuple[str, dict]:
    lines: list[str] = []
    evaluate(str(photos), settings, output=output, log=lines.append)
    return lines[-1], json.loads((output / "evaluation.json").read_text())


def test_a_peer_is_taken_from_an_earlier_evaluation_and_the_protocol_says_so(
    photos: Path, earlier: Path, tmp_path: Path, flat: Flat, thumbnails: str
) -> None:
    printed, record = run(photos, replace(PEER, codec=thumbnails, reuse=(earlier,)), tmp_path / "out")
    assert flat.asked == 0
    assert "- Taken from an earlier evaluation, " in printed
    assert ": flat 2 of the photos." in printed
    assert [c for c in record["curves"] if c["system"] == "flat"] == json.loads(earlier.read_text())["curves"]
    assert record["rows"] == run(photos, replace(PEER, codec=thumbnails), tmp_path / "afresh")[1]["rows"]
    assert "earlier" not in (tmp_path / "afresh" / "evaluation.md").read_text()


def test_a_reused_evaluation_can_be_reused_itself(photos: Path, earlier: Path, tmp_path: Path, flat: Flat) -> None:
    run(photos, replace(PEER, reuse=(earlier,)), tmp_path / "second")
    run(photos, replace(PEER, reuse=(tmp_path / "second" / "evaluation.json",)), tmp_path / "third")
    assert flat.asked == 0


@pytest.mark.parametrize("change", ["pixels", "size", "name", "rates", "version"])
def test_what_differs_is_measured_again(change: str, photos: Path, earlier: Path, tmp_path: Path, flat: Flat) -> None:
    settings = replace(PEER, reuse=(earlier,))
    dark = photos / "dark.png"
    match change:
        case "pixels":
            save(dark, 41)
        case "size":
            Image.open(dark).crop((0, 0, 29, 20)).save(dark)
        case "name":
            dark.rename(photos / "darker.png")
        case "rates":
            settings = replace(settings, rates=(1.0, 2.0))
        case "version":
            flat.version = "flat 1.1"
    printed, record = run(photos, settings, tmp_path / "out")
    of_all = change in {"rates", "version"}
    assert flat.asked == (2 if of_all else 1)
    assert (": flat 1 of the photos." in printed) is not of_all
    assert record["rows"] == run(photos, replace(settings, reuse=()), tmp_path / "afresh")[1]["rows"]


def test_the_command_line_reuses_too(
    photos: Path, earlier: Path, tmp_path: Path, flat: Flat, call: Callable[..., Any]
) -> None:
    peers = "evaluate", photos, "--codec", "none", "--against", "flat", "--rates", "1,3", "--output", tmp_path / "out"
    assert call(main, *peers, "--reuse", earlier).status == 0
    assert flat.asked == 0
    outcome = call(main, *peers, "--reuse", photos / "dark.png")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)


def test_several_evaluations_complete_each_other(photos: Path, tmp_path: Path, flat: Flat) -> None:
    for name in ("dark", "light"):
        run(photos / f"{name}.png", PEER, tmp_path / name)
    files = tuple(tmp_path / name / "evaluation.json" for name in ("dark", "light"))
    flat.asked = 0
    run(photos, replace(PEER, reuse=files), tmp_path / "out")
    assert flat.asked == 0


def test_a_label_or_a_classifier_that_is_new_or_another_is_measured_again(
    photos: Path, earlier: Path, tmp_path: Path, flat: Flat
) -> None:
    weights = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    for seed, path in enumerate(weights):
        torch.manual_seed(seed)
        save_file(SqueezeNet().state_dict(), path)
    labels = tmp_path / "labels.tsv"
    labels.write_text("dark.png\t1\nlight.png\t2\n")
    judged = replace(PEER, labels=labels, classifier_weights=weights[0])
    run(photos, replace(judged, reuse=(earlier,)), tmp_path / "judged")
    assert flat.asked == 2
    judged = replace(judged, reuse=(tmp_path / "judged" / "evaluation.json",))
    run(photos, judged, tmp_path / "again")
    assert flat.asked == 2
    labels.write_text("dark.png\t1\nlight.png\t3\n")
    run(photos, judged, tmp_path / "other_label")
    assert flat.asked == 3
    run(photos, replace(judged, classifier_weights=weights[1]), tmp_path / "other_classifier")
    assert flat.asked == 5
    assert load_judges(weights[0], None, recognise=True).digest != load_judges(weights[1], None, recognise=True).digest


def test_a_codec_is_never_taken_from_an_earlier_evaluation(photos: Path, tmp_path: Path, thumbnails: str) -> None:
    run(photos, replace(PEER, codec=thumbnails), tmp_path / "out")
    assert {system for system, _, _ in read_curves([tmp_path / "out" / "evaluation.json"])} == {"flat"}


def test_points_come_back_as_they_were_even_where_json_has_no_word(photos: Path, tmp_path: Path) -> None:
    """A photo of one colour equals its mean: its PSNR is infinite."""
    Image.new("RGB", (20, 20), (7, 7, 7)).save(photos / "plain.png")
    run(photos, PEER, tmp_path / "out")
    found = {c.photo: c for c in read_curves([tmp_path / "out" / "evaluation.json"]).values()}
    assert found["plain"].points[0].psnr == math.inf
    assert found["dark"].points[0].psnr < 50
    assert found["dark"].origin is not None
    assert found["dark"].origin.rates == PEER.rates
    assert {key(c): c for c in found.values()} == read_curves([tmp_path / "out" / "evaluation.json"])


def test_the_digest_is_that_of_a_ppm_file() -> None:
    photo = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert photo_digest(photo) == hashlib.sha256(b"P6 3 2 255\n" + bytes(range(18))).hexdigest()
    assert photo_digest(photo) != photo_digest(photo.reshape(3, 2, 3))


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"curves": [{"system": "flat"}]}', "[" * 100_000])
def test_what_is_no_evaluation_is_refused_before_any_work(
    content: str, photos: Path, tmp_path: Path, flat: Flat
) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"evaluation\.json is not the evaluation\.json of an evaluation"):
        run(photos, replace(PEER, reuse=(file,)), tmp_path / "out")
    with pytest.raises(UsageError, match="no such file"):
        run(photos, replace(PEER, reuse=(tmp_path / "missing.json",)), tmp_path / "out")
    assert flat.asked == 0
    assert not (tmp_path / "out").exists()
