import re

import numpy as np
import pytest
import torch

import progressive
from progressive.batches import ImageCodec
from progressive.errors import UsageError
from progressive.metrics import psnr
from progressive.photos import sample_photo

CODEC = "dual_autoencoder"
PHOTOS = np.stack([sample_photo("chelsea")[:64, :96], sample_photo("coffee")[:64, :96]])
BATCH = torch.from_numpy(PHOTOS).permute(0, 3, 1, 2)


def test_a_batch_gives_a_file_for_each_photo_and_files_a_batch() -> None:
    files = progressive.encode(BATCH, codec=CODEC, size=1500)
    assert files == [progressive.encode(photo, codec=CODEC, size=1500) for photo in PHOTOS]
    assert progressive.encode(BATCH.float() / 255, codec=CODEC, size=1500) == files
    pictures = progressive.decode(files)
    assert (pictures.shape, pictures.dtype) == (BATCH.shape, torch.uint8)
    assert np.array_equal(pictures[1].permute(1, 2, 0), progressive.decode(files[1]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
def test_a_module_gives_pictures_like_the_photos_and_their_real_bits(dtype: torch.dtype) -> None:
    photos = BATCH if dtype == torch.uint8 else (BATCH.double() / 255).to(dtype)
    coded = ImageCodec(CODEC, bpp=1.5)(photos)
    assert (coded.pictures.shape, coded.pictures.dtype, coded.pictures.device) == (photos.shape, dtype, photos.device)
    assert coded.bits.tolist() == [8 * len(file) for file in coded.files]
    assert (coded.bpp <= 1.5).all()
    assert (coded.bpp > 0.3).all()
    white = 1 if dtype == torch.uint8 else 255
    first = (coded.pictures[0].double() * white).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert psnr(first, PHOTOS[0]) > 20
    assert not coded.pictures.requires_grad


def test_more_bits_are_better_pictures() -> None:
    errors = [float((ImageCodec(CODEC, bpp=bpp)(BATCH).pictures.float() - BATCH).square().mean()) for bpp in (0.6, 3)]
    assert errors[1] < errors[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_what_comes_from_a_gpu_goes_back_there() -> None:
    coded = ImageCodec(CODEC, bpp=1.5)(BATCH.cuda())
    assert coded.pictures.device.type == coded.bits.device.type == "cuda"
    assert progressive.decode(progressive.encode(BATCH.cuda(), codec=CODEC), device="cuda").device.type == "cuda"


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (torch.zeros(2, 64, 96, 3), r"shape \[2, 64, 96, 3\] is none of photos"),
        (torch.zeros(2, 64, 96, 3, dtype=torch.int64), r"shape \[2, 64, 96, 3\] is none of photos"),
        (torch.zeros(0, 3, 64, 96), r"shape \[0, 3, 64, 96\] is none of photos"),
        (torch.full((1, 3, 8, 8), 2.0), "values from 0 to 1"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "nobody knows what is white"),
    ],
)
def test_what_is_no_batch_of_photos_is_refused(batch: torch.Tensor, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        progressive.encode(batch, codec=CODEC)
    with pytest.raises(UsageError, match=says):
        ImageCodec(CODEC)(batch)


@pytest.mark.parametrize("shape", [(), (8,), (64, 96), (3, 64, 96), (1, 2, 3, 64, 96)])
def test_a_module_names_the_shape_of_what_is_no_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=f"shape {re.escape(str(list(shape)))} is none of photos"):
        ImageCodec(CODEC, bpp=1.5)(torch.zeros(shape, dtype=torch.int64))


def test_files_of_several_sizes_are_no_batch() -> None:
    files = [progressive.encode(PHOTOS[0][:side], codec=CODEC) for side in (32, 64)]
    with pytest.raises(UsageError, match="pictures of one size"):
        progressive.decode(files)
