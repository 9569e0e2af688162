from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frozen_rmpgc import frozen_model

from benchmarks import _data, ideal
from benchmarks.ideal import LAYERS, Measured, compared, differences, measured
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import UsageError
from progressive.metrics import psnr
from progressive.photos import sample_photo, write_png

MODEL = frozen_model()
PHOTO = sample_photo("coffee")[100:160, 100:200].copy()

CURVE = Measured(
    10_000, tuple(400.0 * 1.5**n for n in range(1 + LEVELS)), tuple(24.0 + 2 * n for n in range(1 + LEVELS))
)


def test_bits_and_pictures_are_those_of_the_codec() -> None:
    found, codec = measured(MODEL, PHOTO), Rmpgc(MODEL)
    coded = codec.analyse(PHOTO)
    tables = MODEL.coding.tables
    base = sum(record.bits(tables, 1).sum() for tile in coded.coded.tiles for record in tile.stages)
    levels = np.sum([tile.bits.sum(1) for tile in coded.coded.tiles], axis=0)
    np.testing.assert_allclose(found.bits, base + np.concatenate([[0], levels.cumsum()]), rtol=1e-5)
    stream = codec.rank(coded, max_payload=1200)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    assert found.psnr[-1] == pytest.approx(psnr(decoder.picture(), PHOTO), abs=0.02)


def test_the_same_curve_costs_nothing_more() -> None:
    found = differences(CURVE, CURVE)
    assert list(found) == [*LAYERS, "in all"]
    np.testing.assert_allclose(list(found.values()), 0, atol=1e-9)


def test_a_layer_that_costs_more_is_told_apart() -> None:
    dearer = replace(CURVE, bits=(*CURVE.bits[:4], *(1.1 * b for b in CURVE.bits[4:])))
    found = differences(dearer, CURVE)
    assert found["base"] == found["plane 1"] == pytest.approx(0, abs=1e-9)
    assert 0 < found["plane 2"] < 10
    assert found["plane 3"] == pytest.approx(10, abs=0.5)
    assert found["plane 4"] == pytest.approx(10)
    assert 5 < found["in all"] < 10.5


def test_better_pictures_of_equal_bits_take_fewer_bytes() -> None:
    better = replace(CURVE, psnr=tuple(q + 0.5 for q in CURVE.psnr))
    found = differences(better, CURVE)
    np.testing.assert_allclose(list(found.values()), 100 * (1.5**-0.25 - 1), atol=0.1)


def test_layers_that_never_meet_are_left_out() -> None:
    far = replace(CURVE, psnr=tuple(q + 30 for q in CURVE.psnr))
    assert np.isnan(list(differences(far, CURVE).values())).all()
    mean = compared({"a": CURVE, "b": far}, {"a": CURVE, "b": CURVE})
    assert mean["base"].photos == 1


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="different photos"):
        compared({"a": CURVE}, {"b": CURVE})
    with pytest.raises(UsageError, match="rise"):
        compared({"a": replace(CURVE, bits=(1.0,) * (1 + LEVELS))}, {"a": CURVE})


def run(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[object]) -> None:
    monkeypatch.setattr("sys.argv", ["ideal", *map(str, arguments)])
    _data.run(ideal.benchmark)


def test_a_run_writes_what_another_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "cup.png", PHOTO)
    monkeypatch.setattr(ideal.Model, "load", lambda path: MODEL)
    monkeypatch.setattr(ideal, "measured", lambda model, photo: CURVE)
    run(monkeypatch, [tmp_path, "--out", tmp_path / "first.json"])
    assert len(capsys.readouterr().out.splitlines()) == 2 + 1 + LEVELS
    run(monkeypatch, ["--compare", tmp_path / "first.json", tmp_path / "first.json"])
    printed = capsys.readouterr().out
    assert printed.startswith("1 photos")
    assert printed.count("+0.00 %") + printed.count("-0.00 %") == len(LAYERS) + 1


@pytest.mark.parametrize(
    "text", ["", "[]", '{"photos": {}}', '{"photos": {"a": {"pixels": 1, "bits": [1], "psnr": [2]}}}']
)
def test_a_file_of_something_else_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, good = tmp_path / "other.json", tmp_path / "good.json"
    other.write_text(text)
    good.write_text(json.dumps({"photos": {"a": {"pixels": 1, "bits": CURVE.bits, "psnr": CURVE.psnr}}}))
    run(monkeypatch, ["--compare", good, other])
    assert capsys.readouterr().out.startswith(f"not measured: {other} is")
