"""Formats that people use today, each at its best settings: real files, as large as each limit allows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from progressive.codec import Photo
from progressive.evaluation.peers import jxl_tools
from progressive.evaluation.peers.jpeg2000_layers import parse_codestream
from progressive.evaluation.peers.search import CodedFile, tightest

Limits = Sequence[int]
"""Largest files, in bytes."""

_JPEG_SCALES = tuple(1.02 ** np.arange(240, -180, -1))
_JPEG2000_RATIOS = tuple(1.01 ** np.arange(900, 0, -1))
_WEBP_QUALITIES = tuple(np.arange(0, 100.5, 0.5))
_JXL_QUALITIES_HALVED = tuple(np.arange(0, 18.5, 0.5))
_JXL_QUALITIES = tuple(np.arange(18.5, 97, 0.5))
"""Below the first, from distance 10 on, libjxl halves the resolution: sizes fall again where it stops."""

_AVIF_QUALITIES = range(100)
_RESOLUTIONS = 6


def jpeg_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """Progressive JPEG, its scans and Huffman tables optimised, chroma at half and at full resolution.

    The tables of quantisers are the standard's, scaled as finely as whole numbers allow.
    """
    image, optimise = _image(photo), scan_optimiser()
    standard = [np.asarray(table) for table in _standard_tables(image)]

    def encode(subsampling: str, scale: float) -> bytes:
        tables = [np.clip(np.rint(table * scale), 1, 255).astype(int).tolist() for table in standard]
        settings = {"qtables": tables, "subsampling": subsampling, "progressive": True, "optimize": True}
        return optimise(_save(image, "JPEG", settings))

    for subsampling in _subsamplings(image):
        for scale, data in tightest(partial(encode, subsampling), _JPEG_SCALES, limits):
            yield _coded(data, f"{subsampling}, tables x {scale:.3f}")


def jpeg2000_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """A codestream of one layer for each limit, and the layers of one codestream for all."""
    for ratio, data in tightest(lambda r: _jpeg2000(photo, [r]).cut(1), _JPEG2000_RATIOS, limits):
        yield _coded(data, f"one layer, {ratio:.1f}:1")
    yield from jpeg2000_layered_files(photo, limits)


def jpeg2000_layered_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """One codestream that has two layers or more below every limit, cut to the largest prefix of layers that fits."""
    ends = sorted({size for limit in limits for size in (limit, 0.97 * limit, 0.8 * limit)})
    stream = _jpeg2000(photo, [photo.size / size for size in ends])
    sizes = [len(stream.cut(layers)) for layers in range(1, len(stream.layer_ends) + 1)]
    fitting = {sum(size <= limit for size in sizes) for limit in limits} - {0}
    for layers in sorted(fitting):
        yield _coded(stream.cut(layers), f"{layers} of {len(sizes)} layers")


def webp_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """Lossy WebP by its slowest method."""
    image = _image(photo)
    for quality, data in tightest(
        lambda q: _save(image, "WEBP", {"quality": float(q), "method": 6}), _WEBP_QUALITIES, limits
    ):
        yield _coded(data, f"quality {quality:g}")


def avif_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """AVIF at speed 4, chroma at full and at half resolution, tuned for PSNR and as libavif would."""
    for subsampling, tune in _avif_settings(photo):
        for quality, data in tightest(_avif_encoder(photo, subsampling, tune, 4), _AVIF_QUALITIES, limits):
            yield _coded(data, f"{subsampling}, tune {tune}, quality {quality}")


def slow_avif_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """AVIF at speed 1, looked for near the quality that fits at a fast one: it takes three times as long as speed 4."""
    for subsampling, tune in _avif_settings(photo):
        fast, slow = (_avif_encoder(photo, subsampling, tune, speed) for speed in (6, 1))
        for limit in sorted(limits):
            near = next((quality for quality, _ in tightest(fast, _AVIF_QUALITIES, [limit])), 0)
            for qualities in (range(near - 4, near + 5), _AVIF_QUALITIES):
                some = [quality for quality in qualities if quality in _AVIF_QUALITIES]
                found = next(tightest(slow, some, [limit]), None)
                if found is not None and some[0] < found[0] < some[-1]:
                    break  # a better one does not lie outside
            if found is not None:
                yield _coded(found[1], f"{subsampling}, tune {tune}, quality {found[0]}")


def jxl_files(photo: Photo, limits: Limits) -> Iterator[CodedFile]:
    """JPEG XL at effort 9; needs the extra `jxl`, and takes Debian's libjxl tools as well where they are on PATH."""
    image = _image(photo)

    def encode(quality: float) -> bytes:
        return _save(image, "JXL", {"quality": float(quality), "effort": 9, "num_threads": 0})

    for qualities in (_JXL_QUALITIES_HALVED, _JXL_QUALITIES):
        for quality, data in tightest(encode, qualities, limits):
            yield _coded(data, f"quality {quality:g}")
    if not jxl_tools.missing_tools():
        yield from jxl_tools.full_resolution_files(photo, limits)


def scan_optimiser() -> Callable[[bytes], bytes]:
    """What rearranges a JPEG's scans without loss: mozjpeg's search if the extra `mozjpeg` is there, else nothing."""
    try:
        return import_module("mozjpeg_lossless_optimization").optimize  # type: ignore[no-any-return]
    except ImportError:
        return bytes


def _jpeg2000(photo: Photo, ratios: Sequence[float]) -> Any:
    """By the irreversible transforms, wavelet 9/7 and colour, with a layer for each of the compression ratios."""
    image = _image(photo)
    settings = {
        "quality_mode": "rates",
        "quality_layers": [float(r) * (1 if image.mode == "RGB" else 1 / 3) for r in ratios],
        "irreversible": True,
        "mct": int(image.mode == "RGB"),
        "num_resolutions": min(_RESOLUTIONS, min(image.size).bit_length()),
        "no_jp2": True,
        "plt": True,
    }
    return parse_codestream(_save(image, "JPEG2000", settings))


def _avif_settings(photo: Photo) -> Iterator[tuple[str, str]]:
    """Resolutions of chroma, and what files are tuned for."""
    return product(_subsamplings(_image(photo), grey="4:0:0"), ("psnr", "default"))


def _avif_encoder(photo: Photo, subsampling: str, tune: str, speed: int) -> Callable[[int], bytes]:
    """A file of each quality."""
    image = _image(photo)
    settings: dict[str, Any] = {"speed": speed, "subsampling": subsampling, "max_threads": 1, "codec": "aom"}
    if tune != "default":
        settings["advanced"] = {"tune": tune}
    return lambda quality: _save(image, "AVIF", settings | {"quality": quality})


def _image(photo: Photo) -> Image.Image:
    """Grey photos have one channel in the formats that know grey."""
    grey = bool((photo == photo[..., :1]).all())
    return Image.fromarray(photo[..., 0] if grey else photo)


def _subsamplings(image: Image.Image, grey: str = "4:4:4") -> tuple[str, ...]:
    return ("4:2:0", "4:4:4") if image.mode == "RGB" else (grey,)


def _standard_tables(image: Image.Image) -> list[list[int]]:
    """Quality 50 leaves the standard's tables of quantisers as they are (ISO/IEC 10918-1, annex K)."""
    with Image.open(io.BytesIO(_save(image, "JPEG", {"quality": 50}))) as coded:
        tables: dict[int, list[int]] = coded.quantization  # type: ignore[attr-defined]
        return list(tables.values())


def _save(image: Image.Image, file_format: str, settings: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **settings)
    return file.getvalue()


def _coded(data: bytes, setting: str) -> CodedFile:
    def decode() -> Photo:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    return CodedFile(len(data), decode, setting)
