"""The library in a few calls: photos to bytes and back, and what a picture is worth beside its original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from progressive.codec import FAITHFUL, Photo
from progressive.coded_file import coded_within
from progressive.container import read_stream, stream_to_bytes
from progressive.contexts import context_for
from progressive.errors import BitstreamError
from progressive.looks import picture_in, prepared_look
from progressive.models import codec_of
from progressive.photos.arrays import as_photo
from progressive.registry import DEFAULT_CODEC, load_codec

if TYPE_CHECKING:
    from torch import Tensor

    from progressive.metrics.perceptual import PerceptualDistance


@overload
def encode(
    photo: Tensor, *, size: int | None = None, codec: str = DEFAULT_CODEC, context: str | None = None
) -> Any: ...
@overload
def encode(
    photo: object, *, size: int | None = None, codec: str = DEFAULT_CODEC, context: str | None = None
) -> bytes: ...
def encode(
    photo: object, *, size: int | None = None, codec: str = DEFAULT_CODEC, context: str | None = None
) -> bytes | list[bytes]:
    """Codes a photo into the content of a `.prog` file; any cut of it after the header decodes.

    Args:
        photo: an array or tensor, uint8 [H, W, 3] or what `progressive.photos.arrays.as_photo` takes for one, or a
            picture of Pillow. A batch, [N, 3, H, W] of uint8 or of floats in 0..1, gives a list of files.
        size: bytes of the file at most; all that the codec has for None.
        codec: one of `progressive.registry.CODECS`, or `module:Class` of another package; with `@WEIGHTS` behind it for
            weights of one's own, `rmpgc@mine.safetensors`.
        context: what the picture is for; the codec's usual order for None.

    Raises UsageError for anything else, and if no picture fits the size.
    """
    coder = load_codec(codec)
    order = context_for(coder, context)

    def file_of(one: Photo) -> bytes:
        return stream_to_bytes(coded_within(coder, one, size, context=order))

    if getattr(photo, "ndim", 0) == 4:
        from progressive.batches import photos_of

        return [file_of(one) for one in photos_of(photo)]
    return file_of(as_photo(photo))


@overload
def decode(file: bytes, *, device: str = "cpu", look: str = FAITHFUL, weights: str | None = None) -> Photo: ...
@overload
def decode(
    file: Sequence[bytes], *, device: str = "cpu", look: str = FAITHFUL, weights: str | None = None
) -> Tensor: ...
def decode(
    file: bytes | Sequence[bytes], *, device: str = "cpu", look: str = FAITHFUL, weights: str | None = None
) -> Photo | Tensor:
    """The best picture that a file's content holds, uint8 [H, W, 3]; it may be cut or damaged after its header.

    Args:
        file: its content; or several, of pictures of one size, which become a tensor, uint8 [N, 3, H, W] on the device.
        device: makes the picture: cpu, cuda.
        look: how it looks, one of `progressive.looks.LOOKS`; the faithful one if the codec has no other.
        weights: those that the file was made with, a file or a name; the shipped ones, and those that
            PROGRESSIVE_WEIGHTS names, are known by themselves.

    Raises BitstreamError if nothing of it can be shown or its model is not known, UsageError for an unknown look.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        return _picture(bytes(file), device, look, weights)
    from progressive.batches import as_batch

    return as_batch([_picture(one, device, look, weights) for one in file]).to(device)


def _picture(file: bytes, device: str, look: str, weights: str | None) -> Photo:
    contents = read_stream(file)
    codec = codec_of(contents.header, weights=weights)
    look = prepared_look(codec, look)
    decoder = codec.decoder(contents.header, device=device)
    decoder.push_all(contents.segments)
    if not decoder.status.decoded:
        raise BitstreamError("nothing of the file can be shown: it is cut before its first segment, or damaged")
    return picture_in(decoder, look)


def measure(picture: object, original: object) -> dict[str, float | None]:
    """How good a picture is beside its original, by the name of each metric: PSNR in dB, SSIM and the like in 0..1.

    None stands for a metric that does not apply to a picture this small, or whose weights are not there; the PSNR of
    equal pictures is None too. Raises UsageError if the sizes differ.
    """
    from progressive.metrics.comparison import compare
    from progressive.semantics.sources import importance_map

    def perceptual() -> PerceptualDistance:
        from progressive.metrics.perceptual import load_perceptual_distance

        return load_perceptual_distance()

    measures = compare(as_photo(picture), as_photo(original), importance=importance_map, perceptual=perceptual)
    return {each.key: each.value for each in measures}
