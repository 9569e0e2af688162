"""JPEG XL by Debian's libjxl tools: files at full resolution, and prefixes of one progressive file.

Newer libraries halve the resolution at low quality, at a loss that only the tools' `--resampling=1` avoids.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from progressive.codec import Photo
from progressive.evaluation.peers.search import CodedFile, tightest
from progressive.photos import read_photo, write_png

ENCODER, DECODER = "cjxl", "djxl"
_DISTANCES = tuple(float(d) for d in 0.5 * 1.03 ** np.arange(132, -1, -1))
_QUIETLY = ("--num_threads", "0", "--quiet")
_TIMEOUT_S = 600


def missing_tools() -> list[str]:
    """Those of the two programs that are not on PATH."""
    return [tool for tool in (ENCODER, DECODER) if shutil.which(tool) is None]


def version() -> str:
    """What the encoder says it is."""
    return _run([ENCODER, "--version"]).partition("\n")[0].partition("[")[0].strip()


def full_resolution_files(photo: Photo, limits: Sequence[int]) -> Iterator[CodedFile]:
    """A file of effort 9 for each limit, never a smaller picture enlarged."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for distance, data in tightest(partial(_encode, _original(photo, folder)), _DISTANCES, limits):
            picture = _decode(data, folder)
            assert picture is not None
            yield CodedFile(len(data), partial(np.asarray, picture), f"full resolution, distance {distance:.2f}")


def progressive_files(photo: Photo, limits: Sequence[int]) -> Iterator[CodedFile]:
    """The largest file of effort 9 that fits the highest limit, and its prefixes at the others.

    A prefix of which the decoder shows nothing is left out.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encode = partial(_encode, _original(photo, folder), progressive=True)
        for distance, whole in tightest(encode, _DISTANCES, [max(limits)]):
            for size in sorted({min(limit, len(whole)) for limit in limits}):
                picture = _decode(whole[:size], folder)
                if picture is not None:
                    setting = f"{size} of {len(whole)} bytes, distance {distance:.2f}"
                    yield CodedFile(size, partial(np.asarray, picture), setting)


def _original(photo: Photo, folder: Path) -> Path:
    original = folder / "original.png"
    write_png(original, photo)
    return original


def _encode(original: Path, distance: float, *, progressive: bool = False) -> bytes:
    coded = original.with_name("coded.jxl")
    settings = ["--distance", f"{distance:.4f}", "--effort", "9", "--resampling=1", *_QUIETLY]
    _run([ENCODER, str(original), str(coded), *settings, *(["--progressive"] if progressive else [])])
    return coded.read_bytes()


def _decode(data: bytes, folder: Path) -> Photo | None:
    prefix, picture = folder / "prefix.jxl", folder / "picture.png"
    prefix.write_bytes(data)
    picture.unlink(missing_ok=True)
    try:
        _run([DECODER, str(prefix), str(picture), "--allow_partial_files", *_QUIETLY])
    except subprocess.CalledProcessError:
        return None
    return read_photo(picture) if picture.is_file() else None


def _run(command: list[str]) -> str:
    ran = subprocess.run(  # noqa: S603, nothing in the command comes from outside
        command, capture_output=True, check=True, text=True, errors="replace", timeout=_TIMEOUT_S
    )
    return ran.stdout
