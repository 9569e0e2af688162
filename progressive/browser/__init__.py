"""What runs in a browser: plain HTML, ES modules and WebAssembly, which load nothing from elsewhere.

    page/     joins a sender over WebRTC and puts the rest together
    session/  datagrams in, header and segments out, reports back: the receiver's session once more
    codec/    segments in, pictures out
    view/     draws what a receiver goes through; shared with the viewer's page

Two servers hand these files out: of a sender over WebRTC, and of a receiver's viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import PurePath

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}

FOLDERS = ("page", "session", "codec", "view")


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served."""

    content: bytes
    type: str


@cache
def files_of(package: str, folder: str) -> dict[str, File]:
    """The files for browsers in a folder of a package, by name."""
    found = files(package).joinpath(folder).iterdir()
    return {
        entry.name: File(entry.read_bytes(), TYPES[suffix])
        for entry in found
        if (suffix := PurePath(entry.name).suffix) in TYPES
    }
