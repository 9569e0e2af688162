import json
from pathlib import Path

import fake_codec
import numpy as np
import pytest

from benchmarks import _data, speed
from progressive.photos import sample_photo, write_png

CODEC = fake_codec.ThumbnailCodec()


def test_refinements_show_one_more_enhance_segment_each() -> None:
    photo = sample_photo("coffee")[:240, :240]
    stream = CODEC.encode(photo, max_payload=200)
    decoder = CODEC.decoder(stream.header)
    enhance = [s for s in stream.segments if s.layer > 0]
    for segment in stream.segments:
        if segment.layer == 0:
            decoder.push(segment.id, segment.payload)
    calls = list(speed.refinement_calls(CODEC, stream, "cpu"))
    assert len(calls) == len(enhance)
    for segment, call in zip(enhance, calls, strict=True):
        decoder.push(segment.id, segment.payload)
        assert (call() == decoder.picture()).all()


def test_the_first_picture_is_that_of_the_whole_base() -> None:
    photo = sample_photo("coffee")[:240, :240]
    stream = CODEC.encode(photo, max_payload=200)
    base = [s for s in stream.segments if s.layer == 0]
    decoder = CODEC.decoder(stream.header)
    for segment in base:
        decoder.push(segment.id, segment.payload)
    for call in speed.first_picture_calls(CODEC, stream.header, base, "cpu", 2):
        assert (call() == decoder.picture()).all()


def test_a_run_lists_our_calls_and_the_peers_within_the_rate(
    tmp_path: Path, thumbnails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, table = tmp_path / "cup.png", tmp_path / "speed.json"
    write_png(photo, sample_photo("coffee")[:320, 200:520])
    monkeypatch.setattr(speed, "use_cores", lambda count: None)
    monkeypatch.setattr(speed, "PEER_SETTINGS", {"avif": ("AVIF", "speed", (8, 10))})
    arguments = [photo, "--codec", thumbnails, "--repeat", 1, "--bpp", 2, "--json", table]
    monkeypatch.setattr("sys.argv", ["speed", *map(str, arguments)])
    _data.run(speed.benchmark)
    rows = json.loads(table.read_text())["rows"]
    ours = [row["call"] for row in rows if row["system"] == thumbnails]
    assert ours == ["encode", "first picture", "refinement", "decode whole"]
    sizes = np.array([row["bytes"] for row in rows if row["system"].startswith("avif")])
    assert len(sizes) == 4
    assert (sizes <= 2 * 320 * 320 / 8).all()
    assert all(row["cost"]["median_ms"] > 0 for row in rows)
    assert "times ours" in capsys.readouterr().out


def test_too_few_refinements_are_named(
    tmp_path: Path, thumbnails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "small.png"
    write_png(photo, sample_photo("coffee")[:32, :32])
    monkeypatch.setattr(speed, "use_cores", lambda count: None)
    monkeypatch.setattr("sys.argv", ["speed", str(photo), "--codec", thumbnails])
    _data.run(speed.benchmark)
    assert "fewer than three refinements" in capsys.readouterr().out
