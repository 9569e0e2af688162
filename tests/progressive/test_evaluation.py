from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from progressive.container import cut, file_size, stream_to_bytes
from progressive.errors import UsageError
from progressive.evaluation.command import evaluate
from progressive.evaluation.curves import Curve, Point, stream_points
from progressive.evaluation.peers import PEERS, check_peer
from progressive.evaluation.report import mean_rows, photo_rows
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec


def test_the_best_picture_within_a_rate_is_the_best_file_that_fits() -> None:
    curve = Curve("a", "p", 800, (Point(10, 20.0, None), Point(20, 25.0, None), Point(30, 24.0, None)))
    assert curve.best_within(0.05) is None
    assert curve.best_within(0.1) == Point(10, 20.0, None)
    assert curve.best_within(10) == Point(20, 25.0, None)


def test_means_are_over_photos_that_every_system_has() -> None:
    curves = [
        Curve("a", "p", 800, (Point(10, 20.0, 0.5),)),
        Curve("b", "p", 800, (Point(10, 22.0, 0.7),)),
        Curve("a", "q", 800, (Point(10, 30.0, 0.9),)),
        Curve("b", "q", 800, (Point(999, 32.0, 0.9),)),
    ]
    (row,) = mean_rows(photo_rows(curves, ["a", "b"], [0.1]), [0.1])
    assert row.psnr == (20.0, 22.0)
    assert row.ms_ssim == (0.5, 0.7)
    assert row.photos == 1


def test_stream_points_count_the_bytes_of_real_files() -> None:
    codec = load_codec(DEFAULT_CODEC)
    photo = downscale(sample_photo(), max_pixels=60_000)
    stream = codec.encode(photo, max_payload=500)
    points = list(stream_points(codec, photo, max_bpp=100, max_payload=500))
    assert len(points) == len(stream.segments)
    assert points[-1].bytes == file_size(stream) == len(stream_to_bytes(stream))
    assert points[2].bytes == len(stream_to_bytes(cut(stream, points[2].bytes)))


@pytest.mark.parametrize("peer", ["jpeg", "jpeg2000", "webp", "avif", "jxl"])
@pytest.mark.parametrize("grey", [False, True])
def test_points_of_a_peer_are_real_files_within_the_limit(peer: str, grey: bool) -> None:
    photo = downscale(sample_photo(), max_pixels=30_000)
    photo = np.repeat(photo[..., 1:2], 3, axis=2) if grey else photo
    check_peer(peer)
    points = list(PEERS[peer](photo, 1.0))
    assert max(p.bytes for p in points) * 8 <= photo.shape[0] * photo.shape[1]
    by_size = sorted(points, key=lambda p: p.bytes)
    assert by_size[-1].psnr > 25
    assert by_size[-1].psnr > by_size[0].psnr + 2


def test_a_colour_photo_in_jpeg2000_uses_the_colour_transform() -> None:
    """Without it, a third of the rate is lost: the same rate must beat three grey planes coded apart."""
    photo = downscale(sample_photo("chelsea"), max_pixels=30_000)
    best = max((p for p in PEERS["jpeg2000"](photo, 0.6)), key=lambda p: p.psnr)
    file = io.BytesIO()
    Image.fromarray(photo).save(
        file, "JPEG2000", quality_mode="rates", quality_layers=[24 / 0.6], irreversible=True, mct=0
    )
    assert best.psnr > psnr(np.asarray(Image.open(file).convert("RGB")), photo)


def test_a_missing_jpeg_xl_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(UsageError, match=r"progressive\[jxl\]"):
        check_peer("jxl")


def test_an_evaluation_prints_and_saves(tmp_path: Path) -> None:
    photo = downscale(sample_photo("chelsea"), max_pixels=40_000)
    Image.fromarray(photo).save(tmp_path / "cat.png")
    lines: list[str] = []
    evaluate(
        str(tmp_path / "cat.png"),
        codec=DEFAULT_CODEC,
        against=["jpeg"],
        rates=(0.3, 0.5),
        max_payload=1000,
        output=tmp_path / "out",
        log=lines.append,
    )
    assert "| mean | 0.3 |" in lines[-1]
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert {row["photo"] for row in record["rows"]} == {"cat", "mean"}
    assert np.asarray(Image.open(tmp_path / "out" / "evaluation.png")).size
    assert "| mean | 0.5 |" in (tmp_path / "out" / "evaluation.md").read_text()


def test_an_unknown_peer_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown peer 'jpg'.*jpeg"):
        evaluate(
            "nowhere", codec=DEFAULT_CODEC, against=["jpg"], rates=(0.1,), max_payload=1000, output=tmp_path, log=print
        )
