from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from progressive.errors import UsageError
from progressive.evaluation.meter import Meter
from progressive.evaluation.peers import PEERS, check_peer, formats, jxl_tools, peer_points
from progressive.evaluation.peers.jpeg2000_layers import parse_codestream
from progressive.evaluation.peers.search import tightest
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo

HERE = [name for name in PEERS if name != "jxl-progressive" or not jxl_tools.missing_tools()]


@pytest.mark.parametrize("limits", [[500], [5, 10, 17, 400], [400, 17]])
def test_the_search_finds_the_largest_file_that_fits(limits: Sequence[int]) -> None:
    sizes = [int(10 * 1.03**i) for i in range(120)]
    encoded: list[int] = []

    def encode(index: int) -> bytes:
        encoded.append(index)
        return bytes(sizes[index])

    found = {len(data) for _, data in tightest(encode, range(120), limits)}
    assert found == {max(s for s in sizes if s <= limit) for limit in limits if limit >= sizes[0]}
    assert len(encoded) == len(set(encoded)) <= 10 * len(limits)


@pytest.mark.parametrize("peer", HERE)
@pytest.mark.parametrize("grey", [False, True])
def test_points_of_a_peer_are_real_files_close_below_each_rate(peer: str, grey: bool) -> None:
    photo = downscale(sample_photo(), max_pixels=20_000)
    photo = np.repeat(photo[..., 1:2], 3, axis=2) if grey else photo
    rates = (0.8, 1.6)
    points = sorted(peer_points(peer, meter := Meter(photo), rates), key=lambda p: p.bytes)
    sizes = [8 * p.bytes / meter.pixels for p in points]
    assert 0.85 * rates[-1] < sizes[-1] <= rates[-1]
    if peer != "jxl-progressive":  # of a small photo's file the decoder may show no prefix
        assert max(size for size in sizes if size <= rates[0]) > 0.85 * rates[0]
    assert max(p.psnr for p in points) > 24


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 17)])
def test_the_layers_of_a_codestream_of_any_size_decode(size: tuple[int, int]) -> None:
    photo = downscale(sample_photo(), max_pixels=10_000)[: size[0], : size[1]]
    files = list(formats.jpeg2000_layered_files(photo, [400, 800]))
    assert files
    assert all(file.decode().shape == photo.shape for file in files)


def test_a_codestream_cut_after_a_layer_is_what_a_decoder_of_those_layers_shows() -> None:
    photo = downscale(sample_photo("chelsea"), max_pixels=30_000)
    file = io.BytesIO()
    settings = {"quality_layers": [120, 60, 30], "irreversible": True, "mct": 1, "no_jp2": True, "plt": True}
    Image.fromarray(photo).save(file, "JPEG2000", quality_mode="rates", **settings)
    stream = parse_codestream(file.getvalue())
    for layers in (1, 2, 3):
        expected = Image.open(file)
        codec, rectangle, offset, (kind, reduction, _, *rest) = expected.tile[0]
        expected.tile = [(codec, rectangle, offset, (kind, reduction, layers, *rest))]
        cut = stream.cut(layers)
        assert len(cut) <= 3 * photo.shape[0] * photo.shape[1] / settings["quality_layers"][layers - 1]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(cut))), np.asarray(expected))
        file.seek(0)


def test_a_codestream_without_the_lengths_of_packets_is_refused() -> None:
    file = io.BytesIO()
    Image.fromarray(sample_photo()).save(file, "JPEG2000", quality_layers=[50], no_jp2=True)
    with pytest.raises(ValueError, match="0 packets"):
        parse_codestream(file.getvalue())
    with pytest.raises(ValueError, match="ends before"):
        parse_codestream(file.getvalue()[:60])


def test_a_colour_photo_in_jpeg2000_uses_the_colour_transform() -> None:
    """Without it, a third of the rate is lost: the same rate must beat three grey planes coded apart."""
    photo = downscale(sample_photo("chelsea"), max_pixels=30_000)
    best = max(peer_points("jpeg2000", Meter(photo), [0.6]), key=lambda p: p.psnr)
    file = io.BytesIO()
    Image.fromarray(photo).save(
        file, "JPEG2000", quality_mode="rates", quality_layers=[24 / 0.6], irreversible=True, mct=0
    )
    assert best.psnr > psnr(np.asarray(Image.open(file).convert("RGB")), photo) + 0.5


def test_jpeg_without_mozjpeg_keeps_its_pictures_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mozjpeg_lossless_optimization", None)
    photo = downscale(sample_photo("chelsea"), max_pixels=20_000)
    (file, *_) = formats.jpeg_files(photo, [2000])
    assert psnr(file.decode(), photo) > 25
    assert "mozjpeg" in PEERS["jpeg"].description()
    assert "fixed scans" in PEERS["jpeg"].description()


def test_what_a_peer_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(UsageError, match=r"progressive\[jxl\]"):
        check_peer("jxl")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="cjxl and djxl.*libjxl-tools"):
        check_peer("jxl-progressive")
    with pytest.raises(UsageError, match="unknown peer 'jpg'.*jpeg"):
        check_peer("jpg")
