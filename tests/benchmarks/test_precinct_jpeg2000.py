import io
from dataclasses import replace

import numpy as np
from PIL import Image

from benchmarks._precinct_jpeg2000 import PrecinctJpeg2000, best_precinct_jpeg2000, precinct_jpeg2000
from progressive.codec import Photo
from progressive.metrics import psnr
from progressive.photos import sample_photo

MAX_PAYLOAD = 300


def photo() -> Photo:
    return sample_photo("coffee")[:300, :430]


def coded(layers: int = 2) -> PrecinctJpeg2000:
    return precinct_jpeg2000(photo(), 12_000, layers=layers, precinct=128, code_block=32, max_payload=MAX_PAYLOAD)


def nothing_lost(file: PrecinctJpeg2000) -> Photo:
    return file.picture(np.zeros(file.packets, bool))


def test_without_loss_the_picture_is_that_of_the_plain_decoder() -> None:
    file = io.BytesIO()
    Image.fromarray(photo()).save(
        file,
        "JPEG2000",
        no_jp2=True,
        mct=1,
        irreversible=True,
        codeblock_size=(32, 32),
        precinct_size=(128, 128),
        quality_layers=[photo().size / 12_000 * 2, photo().size / 12_000],
    )
    assert (nothing_lost(coded()) == np.asarray(Image.open(file))).all()


def test_a_lost_precinct_changes_its_own_part_of_the_photo_only() -> None:
    """The last of luma at the finest resolution covers the photo from row 256 and column 384 on; filters reach 4 on."""
    file = replace(coded(layers=1), max_payload=1)
    ends = np.cumsum([len(piece) for piece in file.pieces])
    precincts = 3 * 4
    lost = np.arange(file.packets) == ends[-1 - 2 * precincts] - 1
    changed = (file.picture(lost) != nothing_lost(file)).any(2)
    assert changed[256:, 384:].any()
    changed[252:, 380:] = False
    assert not changed.any()


def test_the_loss_of_any_packet_leaves_a_picture() -> None:
    file = coded()
    whole = psnr(nothing_lost(file), photo())
    for number in range(file.packets):
        assert 5 < psnr(file.picture(np.arange(file.packets) == number), photo()) < whole


def test_without_its_first_layer_a_precinct_shows_nothing_of_its_second() -> None:
    file = coded()
    first_layer = sum(map(len, file.pieces[: len(file.pieces) // 2]))
    only_first = np.arange(file.packets) < -(-first_layer // MAX_PAYLOAD)
    assert (file.picture(only_first) == file.picture(np.ones(file.packets, bool))).all()


def test_the_largest_file_uses_the_bytes_it_may() -> None:
    file = best_precinct_jpeg2000(photo(), 9000, layers=2, precinct=128, code_block=32, max_payload=MAX_PAYLOAD)
    assert file is not None
    assert 0.97 * 9000 < file.size <= 9000
