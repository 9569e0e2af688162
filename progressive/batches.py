"""Batches of tensors, as networks have them, [N, 3, H, W]: coded by a codec, and pictures back on the same device.

>>> import torch
>>> from progressive.batches import ImageCodec
>>> photos = torch.rand(2, 3, 64, 96)
>>> coded = ImageCodec("dual_autoencoder", bpp=1.0)(photos)
>>> coded.pictures.shape, coded.pictures.dtype
(torch.Size([2, 3, 64, 96]), torch.float32)
>>> bool((coded.bpp <= 1.0).all())
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codec import FAITHFUL, Photo
from progressive.coded_file import coded_within
from progressive.container import stream_to_bytes
from progressive.contexts import context_for
from progressive.errors import UsageError
from progressive.looks import picture_in, prepared_look
from progressive.photos.arrays import as_photo
from progressive.registry import DEFAULT_CODEC, load_codec


class CodedBatch(NamedTuple):
    """What came of a batch.

    Fields:
        pictures: [N, 3, H, W], of the type and on the device of the photos: floats of 0..1 or uint8.
        bits: of each photo's file, everything counted, [N].
        files: the contents of the files.
    """

    pictures: Tensor
    bits: Tensor
    files: list[bytes]

    @property
    def bpp(self) -> Tensor:
        """Bits a pixel of each photo, [N]."""
        return self.bits / (self.pictures.shape[2] * self.pictures.shape[3])


class ImageCodec(nn.Module):
    """A codec as a module: a batch of photos in, the pictures that a receiver shows and their bits out.

    Real bytes are coded and decoded, so that no gradient passes: for evaluation, and for training what comes after.

    Args:
        codec: a spec as `progressive.registry.load_codec` takes it, `rmpgc@mine.safetensors`.
        bpp: bits a pixel of each file at most; all that the codec has for None.
        context: what the pictures are for; the codec's usual order for None.
        device: makes the pictures, "cpu" or "cuda"; where the photos are for None.
        look: of the pictures.
    """

    def __init__(
        self,
        codec: str = DEFAULT_CODEC,
        *,
        bpp: float | None = None,
        context: str | None = None,
        device: str | None = None,
        look: str = FAITHFUL,
    ) -> None:
        super().__init__()
        self.codec = load_codec(codec)
        self.bpp, self.device = bpp, device
        self.context, self.look = context_for(self.codec, context), prepared_look(self.codec, look)

    @torch.no_grad()
    def forward(self, photos: Tensor) -> CodedBatch:
        """Raises UsageError for anything but [N, 3, H, W], uint8 or floats of 0..1, and if no file is small enough."""
        files, pictures, each = [], [], photos_of(photos)
        size = None if self.bpp is None else int(self.bpp * photos.shape[-2] * photos.shape[-1] / 8)
        for photo in each:
            stream = coded_within(self.codec, photo, size, context=self.context)
            decoder = self.codec.decoder(stream.header, device=self.device or photos.device.type)
            decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
            files.append(stream_to_bytes(stream))
            pictures.append(picture_in(decoder, self.look))
        bits = torch.tensor([8.0 * len(file) for file in files], device=photos.device)
        made = as_batch(pictures).to(photos.device)
        return CodedBatch(made if photos.dtype == torch.uint8 else (made / 255).to(photos.dtype), bits, files)


def photos_of(batch: object) -> list[Photo]:
    """The photos of [N, 3, H, W], uint8 or floats of 0..1 on any device, each [H, W, 3]; UsageError for others."""
    shape = list(getattr(batch, "shape", ()))
    if len(shape) != 4 or shape[1] != 3 or 0 in shape:
        raise UsageError(f"a batch of shape {shape} is none of photos: use [N, 3, H, W]")
    tensor = torch.as_tensor(batch)
    return [as_photo(photo.permute(1, 2, 0)) for photo in tensor]


def as_batch(pictures: Sequence[Photo]) -> Tensor:
    """Pictures of one size as uint8 [N, 3, H, W]; raises UsageError if they differ in size, or there are none."""
    if len({picture.shape for picture in pictures}) != 1:
        raise UsageError("a batch needs pictures of one size: decode those of several sizes one by one")
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
