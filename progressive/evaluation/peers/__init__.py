"""What a codec is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata

from PIL import features

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.curves import Point, byte_limit
from progressive.evaluation.meter import Meter
from progressive.evaluation.peers import formats, jxl_tools
from progressive.evaluation.peers.search import CodedFile
from progressive.suggestions import use_one_of


@dataclass(frozen=True, slots=True)
class Peer:
    """A format at its best settings.

    Fields:
        files: from a photo and limits in bytes to the files that fit them most tightly, none above its limit.
        description: its settings and the version of its library.
        feature: what Pillow must have been built with.
    """

    files: Callable[[Photo, Sequence[int]], Iterator[CodedFile]]
    description: Callable[[], str]
    feature: str = ""


PEERS: dict[str, Peer] = {
    "jpeg": Peer(formats.jpeg_files, lambda: f"progressive, {_scans()}, 4:2:0 or 4:4:4, standard tables finely scaled"),
    "jpeg2000": Peer(
        formats.jpeg2000_files,
        lambda: f"{_openjpeg()}, 9/7, mct=1, raw codestream, one layer or many, whichever is better",
        "jpg_2000",
    ),
    "jpeg2000-layers": Peer(
        formats.jpeg2000_layered_files,
        lambda: f"{_openjpeg()}, 9/7, mct=1, layers of one raw codestream for all rates",
        "jpg_2000",
    ),
    "webp": Peer(
        formats.webp_files, lambda: f"libwebp {_built_with('webp')}, method 6 (Pillow has no sharp YUV)", "webp"
    ),
    "avif": Peer(formats.avif_files, lambda: _avif(speed=4), "avif"),
    "avif-slow": Peer(formats.slow_avif_files, lambda: _avif(speed=1), "avif"),
    "jxl": Peer(formats.jxl_files, lambda: f"{_jxl()}, effort 9"),
    "jxl-progressive": Peer(
        jxl_tools.progressive_files,
        lambda: f"{jxl_tools.version()}, effort 9, --progressive, prefixes of one file for all rates",
    ),
}


def check_peer(name: str) -> None:
    """Raises UsageError for a peer that is unknown, or that cannot be encoded here."""
    if name not in PEERS:
        raise UsageError(f"unknown peer {name!r}: {use_one_of(name, PEERS)}")
    if name == "jxl":
        try:
            import_module("pillow_jxl")
        except ImportError:
            raise UsageError("JPEG XL needs the extra 'jxl': pip install 'progressive[jxl]'") from None
    if name == "jxl-progressive" and (missing := jxl_tools.missing_tools()):
        raise UsageError(f"progressive JPEG XL needs {' and '.join(missing)} on PATH: install libjxl-tools")
    feature = PEERS[name].feature
    if feature and not features.check(feature):
        raise UsageError(f"this Pillow was built without {name}: install the wheel from PyPI")


def peer_points(name: str, meter: Meter, rates: Sequence[float]) -> Iterator[Point]:
    """A peer's files for these rates, in bits a pixel, measured; raises UsageError as `check_peer` does."""
    check_peer(name)
    limits = [byte_limit(bpp, meter.pixels) for bpp in rates]
    for file in PEERS[name].files(meter.original, limits):
        yield meter(file.decode(), file.size, file.setting)


def _scans() -> str:
    if formats.scan_optimiser() is bytes:
        return "Pillow's fixed scans (the extra 'mozjpeg' searches better ones), optimised Huffman tables"
    return f"scans and Huffman tables optimised by mozjpeg {metadata.version('mozjpeg-lossless-optimization')}"


def _jxl() -> str:
    plugin = f"pillow-jxl-plugin {metadata.version('pillow-jxl-plugin')}"
    if jxl_tools.missing_tools():
        return f"{plugin}, which halves the resolution below quality 18.5 (libjxl-tools on PATH would keep it)"
    return f"{plugin} or {jxl_tools.version()} with --resampling=1, whichever is better"


def _avif(*, speed: int) -> str:
    return f"libavif {_built_with('avif')} with aom, speed {speed}, 4:2:0 or 4:4:4, tuned for PSNR or by default"


def _openjpeg() -> str:
    return f"OpenJPEG {_built_with('jpg_2000')}"


def _built_with(feature: str) -> str | None:
    return features.version(feature)
