"""Streams a photo over a poor link: coarse at once, then ever better with every packet that arrives.

    >>> import progressive
    >>> from progressive.photos import sample_photo
    >>> photo = sample_photo("astronaut")[:256, :256]
    >>> file = progressive.encode(photo, size=4000)
    >>> len(file) <= 4000
    True
    >>> progressive.decode(file[:2000]).shape
    (256, 256, 3)
    >>> progressive.measure(progressive.decode(file), photo)["psnr"] > 25
    True
    >>> run = progressive.stream_photo(photo, bandwidth="20kbps", channel="loss:10%", deadline="4s", seed=1)
    >>> run.shown[0].psnr < run.shown[-1].psnr
    True

Between two programs, or two tasks of one event loop, ``await progressive.send(photo, "udp://127.0.0.1:9000")`` sends
and ``async for shown in progressive.receive("udp://0.0.0.0:9000")`` gives pictures as they get better.

Photos are arrays, tensors or pictures of Pillow. What else there is stands in the modules of this package, each of
which says what it is about.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback.notebook import Shown, Streamed, stream_photo
    from progressive.api import decode, encode, measure
    from receiver.pictures import ReceivedPicture, receive
    from sender.sending import Sent, send

__version__ = "0.1.0"

__all__ = [
    "ReceivedPicture",
    "Sent",
    "Shown",
    "Streamed",
    "__version__",
    "decode",
    "encode",
    "measure",
    "receive",
    "send",
    "stream_photo",
]

_MODULES = {
    "encode": "progressive.api",
    "decode": "progressive.api",
    "measure": "progressive.api",
    "stream_photo": "loopback.notebook",
    "Streamed": "loopback.notebook",
    "Shown": "loopback.notebook",
    "receive": "receiver.pictures",
    "ReceivedPicture": "receiver.pictures",
    "send": "sender.sending",
    "Sent": "sender.sending",
}
"""Loaded when they are first used: most programs need few of them, and torch takes a second."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
