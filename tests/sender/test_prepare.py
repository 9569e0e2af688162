from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_codec import ThumbnailCodec, ThumbnailCodecOfOneRate

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.packing.packed import PackedStream
from progressive.photos import sample_photo, write_png
from progressive.registry import load_codec
from sender.prepare import PreparedPhoto, base_seconds, find_sources, prepare_photo
from sender.settings import SenderSettings
from sender.sizes import Sizes

WIDE = np.ascontiguousarray(sample_photo()[:300])
"""300 x 512."""


def prepared(photo: Photo, *, bandwidth_bps: float, deadline_s: float = 10.0, full_size: bool = False) -> PreparedPhoto:
    settings = SenderSettings(bandwidth_bps, packet_size=222, deadline_s=deadline_s)
    return prepare_photo("photo", photo, ThumbnailCodec(), settings, full_size=full_size)


def test_photos_are_named_apart_and_never_as_the_folder_above(tmp_path: Path) -> None:
    """The names are those of folders in the output folder."""
    for name in ("a.png", "a.jpg.png", "...png", "a.PNG"):
        write_png(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    names = [source.name for source in find_sources(str(tmp_path))]
    assert len(set(names)) == len(names) >= 3
    assert not {"", ".", ".."} & set(names)


@pytest.mark.timeout(60)
def test_a_photo_is_downscaled_where_its_base_would_leave_no_time_to_send_it_again() -> None:
    ready = prepared(WIDE, bandwidth_bps=2_000)
    height, width = ready.photo.shape[:2]
    assert 64 < height < 300
    assert width / height == pytest.approx(512 / 300, rel=0.02)
    assert base_seconds(ready.packed, SenderSettings(2_000, packet_size=222)) <= 5.0
    assert f"downscaled from 512x300 to {width}x{height}, which is best at the deadline" in ready.note
    assert ready.original is WIDE
    assert prepared(WIDE, bandwidth_bps=10_000).photo is WIDE


@pytest.mark.timeout(60)
def test_no_photo_is_downscaled_to_less_than_64_pixels_a_side_nor_enlarged() -> None:
    assert prepared(WIDE, bandwidth_bps=150).photo.shape == (64, 109, 3)
    small = np.ascontiguousarray(WIDE[:40])
    assert prepared(small, bandwidth_bps=2_000).photo is small


@pytest.fixture(scope="module")
def packed_once() -> Callable[[Photo], PackedStream]:
    """Packs a photo of a size as `rmpgc` codes it, which takes seconds, once."""
    codec, known = load_codec("rmpgc"), dict[bytes, PackedStream]()

    def pack(photo: Photo) -> PackedStream:
        key = photo.tobytes()
        if key not in known:
            known[key] = PackedStream.of(codec.encode(photo, max_payload=76), 43, short=True)
        return known[key]

    return pack


@pytest.mark.timeout(120)
@pytest.mark.parametrize("budget", [250, 600, 1500])
def test_no_size_is_much_better_than_the_chosen_one(budget: int, packed_once: Callable[[Photo], PackedStream]) -> None:
    codec, photo = load_codec("rmpgc"), np.ascontiguousarray(sample_photo("chelsea")[:256, :256])
    sizes = Sizes(
        photo,
        codec,
        packed_once,
        budget_bytes=budget,
        base_share=lambda packed: sum(p.payload_size for p in packed.blocks[0].packets) / budget,
    )
    best = sizes.tried(sizes.best().factor)
    others = [sizes.tried(factor) for factor in (1, 1.25, 1.6, 2, 2.7, 4)]
    assert best.psnr >= max(other.psnr for other in others) - 0.2


@pytest.mark.timeout(60)
@pytest.mark.parametrize("full_size", [False, True])
def test_what_cannot_be_sent_within_the_deadline_is_refused_with_one_that_would_do(full_size: bool) -> None:
    with pytest.raises(UsageError, match=r"photo: the base of .* use --deadline [0-9]+s or more") as refused:
        prepared(WIDE, bandwidth_bps=60, full_size=full_size)
    assert ("leave --full-size out" in str(refused.value)) == full_size
    deadline_s = float(str(refused.value).split("--deadline ")[1].partition("s")[0])
    assert prepared(WIDE, bandwidth_bps=60, deadline_s=deadline_s, full_size=full_size).stream.segments


@pytest.mark.timeout(60)
def test_a_codec_of_one_rate_is_told_what_there_is_time_for() -> None:
    def layers(bandwidth_bps: float, redundancy: float | None = None) -> tuple[set[int], PreparedPhoto]:
        settings = SenderSettings(bandwidth_bps, packet_size=222, redundancy=redundancy)
        ready = prepare_photo("photo", WIDE, ThumbnailCodecOfOneRate(), settings, full_size=False)
        return {segment.layer for segment in ready.stream.segments}, ready

    whole = ThumbnailCodecOfOneRate().encode(WIDE).size * 8 / 10
    assert layers(whole * 2)[0] == {0, 1}
    assert layers(whole * 2, redundancy=3)[0] == {0}
    few, ready = layers(whole * 0.9)
    assert few == {0}
    assert ready.photo is ready.original, "all of it has time"
    _, tiny = layers(whole / 8)
    assert tiny.photo.shape[0] < 300
    assert "so that its stream can be sent within the deadline" in tiny.note


def test_a_photo_without_pixels_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot encode 5x0 pixels"):
        prepared(np.zeros((0, 5, 3), np.uint8), bandwidth_bps=20_000)
