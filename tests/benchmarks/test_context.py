from __future__ import annotations

from pathlib import Path

import fake_codec
import pytest
import torch
from safetensors.torch import save_file

from benchmarks import _data, context
from progressive.codec import Photo, Traits
from progressive.photos import sample_photo, write_png
from progressive.semantics.squeezenet import SqueezeNet
from progressive.stream import LayeredStream

SIDE = 240


class TwoOrders(fake_codec.ThumbnailCodec):
    """Sends the coarse thumbnail first to reconstruct, and last to classify."""

    traits = Traits(smallest_payload=6, contexts=("classify", "reconstruct", "hybrid"))

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        stream = super().encode(photo, max_payload=max_payload)
        return stream.keep(reversed(stream.segments)) if context == "classify" else stream


class RanksAgain(TwoOrders):
    """Codes a photo once for every context."""

    analysed = 0

    def analyse(self, photo: Photo) -> Photo:
        self.analysed += 1
        return photo

    def rank(self, coded: Photo, *, max_payload: int, context: str) -> LayeredStream:
        return super().encode(coded, max_payload=max_payload, context=context)

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        raise AssertionError("a photo that can be ranked again is coded once")


@pytest.fixture
def run_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    save_file(SqueezeNet().state_dict(), tmp_path / "squeezenet.safetensors")
    labels = []
    for number, name in enumerate(("chelsea", "coffee")):
        write_png(tmp_path / f"{name}.png", sample_photo(name)[:SIDE, :SIDE])
        labels.append(f"{name}.png\t{number}")
    (tmp_path / "labels.tsv").write_text("\n".join(labels))

    def run(codec: str) -> str:
        arguments = ["--labelled", tmp_path, "--classifier-weights", tmp_path / "squeezenet.safetensors"]
        monkeypatch.setattr("sys.argv", ["context", *map(str, arguments), "--codec", codec, "--segment-size", "100"])
        _data.run(context.benchmark)
        return capsys.readouterr().out

    return run


def test_contexts_are_compared_at_equal_bytes(run_context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "load_codec", lambda _: TwoOrders())
    printed = run_context("orders")
    assert printed.startswith("2 of 2 photos have a picture at every rate, in segments of 100 bytes")
    differences = printed.split("classify - reconstruct\n")[1].split("hybrid")[0]
    psnr = float(differences.split()[2])
    assert psnr < -1
    assert "hybrid - reconstruct\n  PSNR (dB)             +0.00 (+0.00 to +0.00)" in printed


def test_a_codec_that_ranks_again_codes_each_photo_once() -> None:
    codec = RanksAgain()
    photo = sample_photo("coffee")[:SIDE, :SIDE]
    ranked = list(context.streams(codec, photo, 100))
    coded = list(context.streams(TwoOrders(), photo, 100))
    assert codec.analysed == 1
    assert ranked == coded


def test_a_codec_without_contexts_is_not_measured(run_context, thumbnails: str) -> None:
    assert run_context(thumbnails) == "not measured: thumbnails orders its segments one way only: leave --context out\n"
