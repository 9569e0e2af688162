import json
from pathlib import Path

import fake_codec
import numpy as np
import pytest

from benchmarks import _data, loss
from progressive.container import file_size
from progressive.photos import sample_photo, write_png

CODEC = fake_codec.ThumbnailCodec()


@pytest.fixture
def run_loss(tmp_path: Path, thumbnails: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run over a folder of one photo; the file of its measurements."""
    photos, results = tmp_path / "photos", tmp_path / "loss.json"
    photos.mkdir()
    write_png(photos / "cup.png", sample_photo("coffee")[100:340, 200:440])
    arguments = [photos, "--codec", thumbnails, "--draws", 2, "--max-payload", 300, "--json", results]
    monkeypatch.setattr("sys.argv", ["loss", *map(str, arguments)])
    _data.run(loss.benchmark)
    return results


def test_every_system_has_at_most_our_bytes_and_what_is_lost_costs_quality(run_loss: Path) -> None:
    results = json.loads(run_loss.read_text())["results"]
    assert {r["system"].split(",")[0] for r in results} == {"thumbnails", "jpeg2000", "jpeg"}
    for rate in {r["rate_bpp"] for r in results}:
        of_rate = [r for r in results if r["rate_bpp"] == rate]
        ours = next(r["bytes"] for r in of_rate if r["system"].startswith("thumbnails"))
        assert all(r["bytes"] <= ours for r in of_rate)
    whole = [r for r in results if r["rate_bpp"] is None]
    for system in {r["system"] for r in whole}:
        intact, *_, half = (r["psnr"] for r in whole if r["system"] == system)
        assert len(intact) == 1
        assert len(half) == 2
        assert np.mean(half) < intact[0]


def test_with_its_base_kept_a_stream_never_falls_below_its_base() -> None:
    photo = sample_photo("coffee")[:240, :240]
    stream = CODEC.encode(photo, max_payload=100)
    ours = loss.OurFile(CODEC, stream)
    base = np.arange(ours.packets) < ours.base_segments
    decoder = CODEC.decoder(stream.header)
    for segment in stream.segments[: ours.base_segments]:
        decoder.push(segment.id, segment.payload)
    assert (ours.picture(~base) == decoder.picture()).all()
    assert ours.base_bytes == sum(len(s.payload) for s in stream.segments if s.layer == 0)


def test_a_stream_is_cut_at_the_rates_it_reaches() -> None:
    photo = sample_photo("coffee")[:400, :400]
    stream = CODEC.encode(photo, max_payload=100)
    pixels = photo.shape[0] * photo.shape[1]
    parts = dict(loss.cuts(stream, pixels))
    assert parts[None] is stream
    for rate, part in parts.items():
        if rate is not None:
            assert file_size(part) <= rate * pixels / 8
            assert file_size(stream) >= loss.MIN_KEPT_SHARE * rate * pixels / 8
    assert max(rate for rate in parts if rate) < 1.0


def test_without_photos_it_says_so_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["loss", "--data", str(tmp_path)])
    _data.run(loss.benchmark)
    assert capsys.readouterr().out.startswith("not measured: there is no folder")
