"""The library in a few calls: photos to bytes and back, and what a picture is worth beside its original."""

from __future__ import annotations

from typing import TYPE_CHECKING

from progressive.codec import FAITHFUL, Photo
from progressive.coded_file import coded_within
from progressive.container import read_stream, stream_to_bytes
from progressive.contexts import context_for
from progressive.errors import BitstreamError
from progressive.looks import picture_in, prepared_look
from progressive.photos.arrays import as_photo
from progressive.registry import DEFAULT_CODEC, codec_name, load_codec

if TYPE_CHECKING:
    from progressive.metrics.perceptual import PerceptualDistance


def encode(photo: object, *, size: int | None = None, codec: str = DEFAULT_CODEC, context: str | None = None) -> bytes:
    """Codes a photo into the content of a `.prog` file; any cut of it after the header decodes.

    Args:
        photo: an array or tensor, uint8 [H, W, 3] or what `progressive.photos.arrays.as_photo` takes for one, or a
            picture of Pillow.
        size: bytes of the file at most; all that the codec has for None.
        codec: one of `progressive.registry.CODECS`.
        context: what the picture is for; the codec's usual order for None.

    Raises UsageError for anything else, and if no picture fits the size.
    """
    coder = load_codec(codec)
    return stream_to_bytes(coded_within(coder, as_photo(photo), size, context=context_for(coder, context)))


def decode(file: bytes, *, device: str = "cpu", look: str = FAITHFUL) -> Photo:
    """The best picture that a file's content holds, uint8 [H, W, 3]; it may be cut or damaged after its header.

    `device` makes the picture: cpu, cuda. `look` is how it looks, one of `progressive.looks.LOOKS`; the faithful one if
    the codec has no other. Raises BitstreamError if nothing of it can be shown, UsageError for an unknown look.
    """
    contents = read_stream(file)
    codec = load_codec(codec_name(contents.header.codec))
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
