"""Progressive JPEG XL by the libjxl tools: their decoder takes files cut anywhere."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.sources.prefix import Coded, PrefixSource
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.peers import jxl_tools
from progressive.evaluation.peers.search import tightest
from progressive.photos import read_photo, write_png

RATES_BPP = tuple(0.15 * 2.0**step for step in range(5))
DISTANCES = tuple(float(d) for d in 0.5 * 1.04 ** np.arange(99, -1, -1))
EFFORT = 9

_QUIETLY = ("--num_threads", "0", "--quiet")
_TIMEOUT_S = 600


def jxl_files(photo: Photo, limits: Sequence[int]) -> dict[int, Coded]:
    """At full resolution and the highest effort but one."""
    with tempfile.TemporaryDirectory() as name:
        original, coded = Path(name) / "original.png", Path(name) / "coded.jxl"
        write_png(original, photo)

        def encode(distance: float) -> bytes:
            settings = ["--distance", f"{distance:.4f}", "--effort", f"{EFFORT}", "--resampling=1", "--progressive"]
            _run([jxl_tools.ENCODER, str(original), str(coded), *settings, *_QUIETLY])
            return coded.read_bytes()

        files = [data for _, data in tightest(encode, DISTANCES, limits)]
    best = {limit: max((data for data in files if len(data) <= limit), key=len, default=None) for limit in limits}
    return {limit: Coded(data) for limit, data in best.items() if data is not None}


def jxl_picture(data: bytes, _shape: tuple[int, int]) -> Photo | None:
    """What the decoder shows of the beginning of a file."""
    with tempfile.TemporaryDirectory() as name:
        prefix, picture = Path(name) / "prefix.jxl", Path(name) / "picture.ppm"
        prefix.write_bytes(data)
        try:
            _run([jxl_tools.DECODER, str(prefix), str(picture), "--allow_partial_files", *_QUIETLY])
        except subprocess.CalledProcessError:
            return None
        return read_photo(picture) if picture.is_file() else None


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)  # noqa: S603, nothing comes from outside


def _version() -> str:
    return f"{jxl_tools.version()} effort {EFFORT}"


def _check() -> None:
    if missing := jxl_tools.missing_tools():
        raise UsageError(f"progressive JPEG XL needs {' and '.join(missing)} on PATH: install libjxl-tools")


JXL = PrefixSource("jxl-progressive", jxl_files, jxl_picture, RATES_BPP, _version, _check)
