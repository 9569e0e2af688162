import io

import numpy as np
import pytest
from PIL import Image

from benchmarks._restart_jpeg import best_restart_jpeg, conceal, parse, restart_jpeg
from progressive.codec import Photo
from progressive.photos import sample_photo


def photo() -> Photo:
    """Neither side a multiple of an MCU, so that the last interval is short."""
    return sample_photo("coffee")[100:227, 150:353]


def pillow_jpeg(subsampling: str = "4:4:4", interval: int = 5) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo()).save(
        file, "JPEG", quality=60, subsampling=subsampling, optimize=True, restart_marker_blocks=interval
    )
    return file.getvalue()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_without_loss_the_picture_is_that_of_the_plain_decoder(subsampling: str) -> None:
    data = pillow_jpeg(subsampling)
    jpeg = parse(data, 1000)
    assert jpeg.size == len(data)
    plain = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert (jpeg.picture(np.zeros(jpeg.packets, bool)) == plain).all()


def test_each_lost_interval_changes_its_own_pixels_only() -> None:
    jpeg = parse(pillow_jpeg(), 1000)
    whole = jpeg.without(np.zeros(len(jpeg.intervals), bool))
    for number in range(len(jpeg.intervals)):
        lost = np.arange(len(jpeg.intervals)) == number
        changed = (jpeg.without(lost) != whole).any(2)
        assert changed.any()
        assert not (changed & ~jpeg.pixels_of(lost)).any()


def test_an_interval_of_a_row_of_mcus_covers_its_rows() -> None:
    jpeg = parse(pillow_jpeg("4:2:0", interval=13), 1000)
    pixels = jpeg.pixels_of(np.arange(len(jpeg.intervals)) == 2)
    assert pixels[32:48].all()
    assert pixels.sum() == 16 * photo().shape[1]


def test_a_lost_packet_takes_its_intervals() -> None:
    jpeg = parse(pillow_jpeg(), 300)
    lost = np.arange(jpeg.packets) == 1
    assert 1 < (jpeg.packet_of == 1).sum() < len(jpeg.intervals)
    assert (jpeg.picture(lost) == jpeg.without(jpeg.packet_of == 1)).all()


def test_a_picture_of_nothing_is_grey() -> None:
    jpeg = parse(pillow_jpeg(), 1000)
    assert (jpeg.picture(np.ones(jpeg.packets, bool)) == 128).all()


def test_lost_pixels_of_a_ramp_are_painted_as_it_was() -> None:
    ramp = np.repeat(np.arange(60, dtype=np.uint8)[:, None, None] * 3, 40, axis=1).repeat(3, axis=2)
    lost = np.zeros(ramp.shape[:2], bool)
    lost[20:30] = True
    damaged = np.where(lost[..., None], np.uint8(255), ramp)
    assert np.abs(conceal(damaged, lost).astype(int) - ramp).max() <= 1


def test_the_best_file_uses_the_bytes_it_may() -> None:
    limit = 6000
    file = best_restart_jpeg(photo(), limit, 4, 1000)
    assert file is not None
    assert 0.96 * limit < file.size <= limit
    assert best_restart_jpeg(photo(), 100, 4, 1000) is None


def test_an_interval_that_fits_no_packet_is_left_to_coarser_quantisers() -> None:
    file = best_restart_jpeg(photo(), 10**6, 64, 1000)
    assert file is not None
    assert file.size < restart_jpeg(photo(), 0.05, "4:2:0", 1, 10**6).size
