"""The weights that others publish and metrics need: fetched when a person asks for them, never unasked."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from progressive.errors import RunError, UsageError
from progressive.files import write_atomically
from progressive.suggestions import use_one_of

_TIMEOUT_S = 20.0
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Published:
    """A file of weights.

    Fields:
        what: it is, and whose.
        url: where it is published.
        sha256: of its content, in hexadecimal, or the first digits of that.
        file: its name in the cache.
    """

    what: str
    url: str
    sha256: str
    file: str

    @property
    def path(self) -> Path:
        """Where it is kept, whether it is there or not."""
        return cache_folder() / self.file


PUBLISHED = {
    "classifier": Published(
        "SqueezeNet 1.1 of torchvision, trained on ImageNet",
        "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        "b8a52dc0",
        "squeezenet1_1-b8a52dc0.pth",
    ),
    "lpips": Published(
        "the linear layers of LPIPS v0.1 for SqueezeNet, of its authors",
        "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/squeeze.pth",
        "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
        "lpips_squeeze_linear_v0.1.pth",
    ),
}


def cache_folder() -> Path:
    """Where downloads are kept: `progressive` below XDG_CACHE_HOME, or below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "progressive"


def download(name: str) -> Path:
    """Fetches a file of `PUBLISHED` into the cache, unless it is there.

    Raises UsageError for an unknown name, RunError if it cannot be reached or what came is something else.
    """
    if name not in PUBLISHED:
        raise UsageError(f"{name!r} is nothing to download: {use_one_of(name, PUBLISHED)}")
    wanted = PUBLISHED[name]
    if wanted.path.is_file():
        return wanted.path
    try:
        with urllib.request.urlopen(wanted.url, timeout=_TIMEOUT_S) as response:  # noqa: S310, one of the table's
            data = response.read(_MAX_BYTES)
    except OSError as error:
        elsewhere = f"fetch it elsewhere and put it at {wanted.path}"
        raise RunError(f"cannot download {wanted.url} ({error}): {elsewhere}") from None
    if not hashlib.sha256(data).hexdigest().startswith(wanted.sha256):
        raise RunError(f"what came from {wanted.url} is not the published file: its SHA-256 is another one")
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(wanted.path, data)
    return wanted.path
