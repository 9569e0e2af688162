from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from progressive.container import cut, file_size, stream_to_bytes
from progressive.errors import UsageError
from progressive.evaluation.command import evaluate
from progressive.evaluation.curves import Curve, Point, stream_points
from progressive.evaluation.peers import jpeg_points
from progressive.evaluation.report import mean_rows, photo_rows
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


def test_jpeg_points_are_real_files_within_the_limit() -> None:
    photo = downscale(sample_photo(), max_pixels=30_000)
    points = list(jpeg_points(photo, 1.0))
    assert points
    assert max(p.bytes for p in points) * 8 <= photo.shape[0] * photo.shape[1]
    assert max(p.psnr for p in points) > 25


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
