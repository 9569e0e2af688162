"""What a notebook calls: the names of `progressive` itself."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import progressive
from progressive.errors import BitstreamError, UsageError
from progressive.photos import sample_photo

PHOTO = sample_photo("chelsea")[:128, :192]


def test_the_example_of_the_package_holds() -> None:
    found = doctest.testmod(progressive, raise_on_error=False)
    assert (found.failed, found.attempted > 8) == (0, True)


def test_every_name_is_there_and_the_package_loads_without_torch() -> None:
    assert set(progressive.__all__) <= set(dir(progressive))
    assert all(getattr(progressive, name) for name in progressive.__all__)
    with pytest.raises(AttributeError, match="no attribute 'encod'"):
        progressive.encod  # noqa: B018
    script = "import sys, progressive; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_a_photo_in_any_form_makes_the_same_file() -> None:
    file = progressive.encode(PHOTO, size=1500)
    assert len(file) <= 1500
    assert progressive.encode(torch.tensor(PHOTO).permute(2, 0, 1), size=1500) == file
    assert progressive.encode(Image.fromarray(PHOTO), size=1500) == file


def test_any_cut_decodes_to_a_picture_that_is_measured() -> None:
    file = progressive.encode(PHOTO)
    worse, better = (progressive.measure(progressive.decode(file[:size]), PHOTO) for size in (1000, len(file)))
    assert worse["psnr"] is not None
    assert better["psnr"] is not None
    assert worse["psnr"] + 5 < better["psnr"]
    with pytest.raises(BitstreamError, match="nothing of the file can be shown"):
        progressive.decode(file[:60])
    with pytest.raises(UsageError, match="no picture of this photo fits 50 bytes"):
        progressive.encode(PHOTO, size=50)


async def test_a_stream_runs_inside_an_event_loop_and_alike_for_a_seed() -> None:
    given = {"bandwidth": "20kbps", "channel": "loss:20%", "deadline": "3s", "seed": 3}
    run, again = progressive.stream_photo(PHOTO, **given), progressive.stream_photo(Image.fromarray(PHOTO), **given)
    assert len(run.shown) >= 2
    assert [(s.time_s, s.bytes, s.psnr) for s in run.shown] == [(s.time_s, s.bytes, s.psnr) for s in again.shown]
    assert np.array_equal(run.picture, again.picture)
    assert run.picture.shape == PHOTO.shape
    bucket = 1100  # bytes that may go at once
    assert run.wire_bytes <= 20e3 / 8 * 3 + bucket
