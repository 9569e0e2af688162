"""How a photo becomes packets: the sources of the experiments, by name. Another one is one more file and line here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from experiments.material import Material
from experiments.sources.avif import AVIF, AVIF_THUMBNAIL
from experiments.sources.jpeg import JPEG
from experiments.sources.jpeg2000 import JPEG2000
from experiments.sources.jxl import JXL
from experiments.sources.layered import LayeredSource
from experiments.sources.webp import WEBP
from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.registry import installed_codecs
from progressive.suggestions import use_one_of


class Source(Protocol):
    """A way to code photos into packets."""

    @property
    def rates_bpp(self) -> tuple[float | None, ...]:
        """The rates that may be chosen; (None,) for a stream that is coded once."""
        ...

    def check(self) -> None:
        """Raises UsageError if it cannot be used here."""
        ...

    def identity(self) -> str:
        """Changes whenever its packets may."""
        ...

    def material(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path) -> Material | None:
        """The packets of a photo at one of the rates, kept in a folder; None if no file is as small."""
        ...

    def pictures(
        self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path, count: int
    ) -> Sequence[Photo]:
        """What the first packets of `material` show, from none (mid-grey) to all, `count` pictures at most."""
        ...


PEERS: dict[str, Source] = {source.name: source for source in (JPEG, JPEG2000, JXL, WEBP, AVIF, AVIF_THUMBNAIL)}


def source_names() -> list[str]:
    """Every name that `find_source` knows."""
    return [*installed_codecs(), *PEERS]


def find_source(name: str) -> Source:
    """The source of this name; raises UsageError if there is none."""
    if name in PEERS:
        return PEERS[name]
    if name in installed_codecs() or "@" in name or ":" in name:
        return LayeredSource(name)
    raise UsageError(f"unknown source {name!r}: {use_one_of(name, source_names())}")
