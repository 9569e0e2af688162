import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.sources import PEERS, avif, find_source, jxl
from experiments.sources.layered import LayeredSource, PackedPhoto, looks
from experiments.sources.measure import similarities, squared_error
from experiments.sources.prefix import Coded, PrefixSource
from progressive import metrics
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos import sample_photo
from progressive.registry import WEIGHTS, load_codec
from progressive.wire.packet import OVERHEAD

SMOOTH = ("jpeg", "jpeg2000", "jxl-progressive")
RATE_BPP = 1.0


@pytest.fixture(scope="module")
def photo() -> Photo:
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 19, 3), np.uint8)).resize((304, 192), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) + rng.normal(0, 8, (192, 304, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def quick_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avif, "SPEED", 9)
    monkeypatch.setattr(jxl, "EFFORT", 3)


def peer(name: str) -> PrefixSource:
    source = find_source(name)
    assert isinstance(source, PrefixSource)
    try:
        source.check()
    except UsageError as error:
        pytest.skip(str(error))
    return source


CODED: dict[str, Coded] = {}


def coded(name: str, photo: Photo) -> Coded:
    source = peer(name)
    if name not in CODED:
        limit = int(RATE_BPP * photo.shape[0] * photo.shape[1] / 8)
        CODED[name] = source.files(photo, [limit])[limit]
        assert 0.8 * limit <= len(CODED[name].data) <= limit
    return CODED[name]


@pytest.mark.parametrize("name", PEERS)
def test_the_whole_file_is_the_formats_own(name: str, photo: Photo) -> None:
    file = coded(name, photo)
    picture = peer(name).picture(file.data, photo.shape[:2])
    assert picture is not None
    assert metrics.psnr(picture, photo) > 20
    if name in {"jpeg", "webp", "avif"}:
        with Image.open(io.BytesIO(file.data)) as image:
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - picture).max() <= 2


@pytest.mark.parametrize("name", SMOOTH)
def test_beginnings_of_progressive_files_show_ever_more_of_the_whole_photo(name: str, photo: Photo) -> None:
    file, source = coded(name, photo), peer(name)
    ends = file.steps or range(100, len(file.data) + 1, 100)
    pictures = [source.picture(file.data[:end], photo.shape[:2]) for end in ends]
    shown = [metrics.psnr(picture, photo) for picture in pictures if picture is not None]
    grey = metrics.psnr(np.full_like(photo, 128), photo)
    assert len(shown) >= 2
    assert shown[0] > grey - 0.5
    assert shown[-1] > shown[0] + 1
    assert np.diff(shown).min() > -0.5
    assert source.picture(file.data[:10], photo.shape[:2]) is None


def test_rows_of_webp_that_came_are_those_of_the_whole(photo: Photo) -> None:
    file, source = coded("webp", photo), peer("webp")
    whole = source.picture(file.data, photo.shape[:2])
    assert whole is not None
    parts = [source.picture(file.data[:end], photo.shape[:2]) for end in range(100, len(file.data), 100)]
    rows = []
    for part in (part for part in parts if part is not None):
        known = int((part != 128).any(axis=(1, 2)).nonzero()[0].max()) + 1
        assert (part[:known] == whole[:known]).all()
        rows.append(known)
    assert 0 < rows[0] < rows[-1] < len(photo)
    assert rows == sorted(rows)


def test_avif_shows_nothing_before_its_end_but_a_thumbnail(photo: Photo, tmp_path: Path) -> None:
    alone, behind = coded("avif", photo), coded("avif-thumbnail", photo)
    assert alone.steps == (len(alone.data),)
    first, last = behind.steps
    assert last == len(behind.data)
    thumbnail, picture = (peer("avif-thumbnail").picture(behind.data[:n], photo.shape[:2]) for n in (first, last))
    assert thumbnail is not None
    assert picture is not None
    assert metrics.psnr(np.full_like(photo, 128), photo) < metrics.psnr(thumbnail, photo) < metrics.psnr(picture, photo)


def test_packets_of_a_file_show_its_pictures(photo: Photo, tmp_path: Path) -> None:
    file, jpeg = coded("jpeg", photo), peer("jpeg")
    source = PrefixSource("jpeg", lambda _, limits: {limits[0]: file}, jpeg.picture, (RATE_BPP,), lambda: "")
    material = source.material(photo, RATE_BPP, 200, tmp_path)
    assert material is not None
    data, payload = file.data, 200 - OVERHEAD
    assert material.sizes.tolist() == [200] * (len(data) // payload) + [len(data) % payload + OVERHEAD]
    psnr, _ = material.qualities(np.arange(len(material.sizes))[None])
    for count in (3, len(material.sizes)):
        picture = source.picture(data[: payload * count], photo.shape[:2])
        assert picture is not None
        assert psnr[0, count] == pytest.approx(metrics.psnr(picture, photo))
    assert material.utility.min() >= 0
    assert material.chain


def test_a_rate_that_no_file_fits_has_no_packets(photo: Photo, tmp_path: Path) -> None:
    source = peer("webp")
    tiny = PrefixSource("webp", source.files, source.picture, (0.001,), lambda: "")
    assert tiny.material(photo, 0.001, 200, tmp_path) is None


def test_materials_are_made_once(photo: Photo, tmp_path: Path) -> None:
    source = peer("webp")
    calls = []

    def files(photo: Photo, limits: list[int]) -> dict[int, Coded]:
        calls.append(limits)
        return dict(source.files(photo, limits))

    counted = PrefixSource("webp", files, source.picture, (1.0, 2.0), lambda: "1")
    first = counted.material(photo, 2.0, 200, tmp_path)
    assert first is not None
    assert first.sizes.tolist() == counted.material(photo, 2.0, 200, tmp_path).sizes.tolist()
    counted.material(photo, 1.0, 200, tmp_path)
    counted.material(photo, 1.0, 150, tmp_path)
    assert len(calls) == 1
    counted.material(photo[:64], 1.0, 150, tmp_path)
    PrefixSource("webp", files, source.picture, (1.0, 2.0), lambda: "2").material(photo, 1.0, 150, tmp_path)
    assert len(calls) == 3


def test_a_damaged_file_of_the_folder_is_made_anew(photo: Photo, tmp_path: Path) -> None:
    webp = peer("webp")
    source = PrefixSource("webp", webp.files, webp.picture, (1.0,), webp.version)
    whole = source.material(photo, 1.0, 200, tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = source.material(photo, 1.0, 200, tmp_path)
    assert whole is not None
    assert again is not None
    assert whole.pieces.removed.tolist() == again.pieces.removed.tolist()


def test_our_stream_shows_what_its_decoder_does(photo: Photo, thumbnails: str, tmp_path: Path) -> None:
    material = LayeredSource(thumbnails).material(photo, None, 300, tmp_path)
    packed = PackedPhoto.of(load_codec(thumbnails), photo, 300)
    count = len(material.sizes)
    beginnings = np.tri(count, dtype=np.bool_)
    left = material.grey - np.cumsum(material.pieces.removed)
    for there, picture in zip(beginnings, packed.pictures(beginnings), strict=True):
        pieces = np.flatnonzero(material.pieces.packet < there.sum())
        assert left[pieces[-1]] == pytest.approx(squared_error(picture, photo))
    assert material.grey == squared_error(np.full_like(photo, 128), photo)
    assert material.base == sum(len(block.packets) for block in packed.blocks if block.layer == 0)


def test_pictures_are_looked_at_ever_more_rarely() -> None:
    assert looks(5) == [0, 1, 2, 3, 4, 5]
    numbers = looks(200)
    assert numbers[:13] == list(range(13))
    assert numbers[-1] == 200
    assert len(numbers) <= 37


def test_similarity_is_exact_where_a_picture_becomes_recognisable() -> None:
    rng = np.random.default_rng(5)
    small = Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8))
    photo = np.asarray(small.resize((176, 176), Image.Resampling.BICUBIC))
    noise = rng.normal(0, 1, photo.shape)
    grey = np.full_like(photo, 128)
    pictures = [grey, grey, *(np.clip(photo + s * noise, 0, 255).astype(np.uint8) for s in range(120, -1, -8))]
    measured = similarities(pictures, photo)
    exact = [metrics.ms_ssim(picture, photo) for picture in pictures]
    assert [s >= 0.8 for s in measured] == [s is not None and s >= 0.8 for s in exact]
    assert measured[0] == measured[1]
    np.testing.assert_allclose(measured[[0, -1]], [exact[0], exact[-1]])


def test_jpeg_xl_is_refused_without_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UsageError, match="needs cjxl and djxl on PATH"):
        find_source("jxl-progressive").check()


def test_codecs_with_weights_of_ones_own_and_of_other_packages_are_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples" / "own_codec"))
    identities = set()
    for name in ("dual_autoencoder", f"dual_autoencoder@{WEIGHTS / 'dual_autoencoder.safetensors'}", "mosaic:Mosaic"):
        source = find_source(name)
        source.check()
        identities.add(source.identity())
    assert len(identities) == 3
    photo = np.ascontiguousarray(sample_photo("chelsea")[:64, :96])
    material = find_source("mosaic:Mosaic").material(photo, None, 550, tmp_path)
    assert material is not None
    assert len(material.sizes) > 2
    with pytest.raises(UsageError, match="cannot import nowhere:Codec"):
        find_source("nowhere:Codec").check()
