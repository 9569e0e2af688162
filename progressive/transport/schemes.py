"""The kinds of addresses, by the scheme of their URLs, and how each is opened.

Other packages add theirs: an entry point of the group `progressive.transports`, its name the scheme, names a `Scheme`.

udp://HOST:PORT       listens there
webrtc://HOST:PORT    joins the sender that serves there
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from progressive.entry_points import TRANSPORTS, entry_points, found_in, imported
from progressive.errors import UsageError
from progressive.transport.access import Access
from progressive.transport.base import Transport

Say = Callable[[str], None]
"""Takes a line that a person should read."""


class ReceivingTransport(Transport, Protocol):
    """A transport that a receiver opened by its URL.

    `receive` raises RunError, besides TransportClosed, for what no further try can mend, such as a wrong token.
    """

    @property
    def place(self) -> str:
        """What it does and where, such as "listening at udp://0.0.0.0:9000"."""
        ...

    @property
    def dropped_in_words(self) -> str:
        """What came and was none of the sender's, in a line; empty if nothing did."""
        ...

    def finished(self) -> None:
        """The sender has said that nothing more follows: another one may come at once, and who joins a sender joins it
        again only when it has begun anew."""
        ...

    async def wait_closed(self) -> None:
        """Waits, a second or two at most, until the other end was told of `close`."""
        ...


Opener = Callable[[str, Access, Say], Awaitable[ReceivingTransport]]
"""From URL, settings and where to say what a person should know while the transport is open; raises UsageError for
what is wrong before anything starts."""


Connector = Callable[[str, Access, Say], Awaitable[Transport]]
"""The same for a sender, to the receiver at the URL."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of address.

    Fields:
        form: how it is written.
        opener: `module:function` of an `Opener`, imported when it is first used.
        connector: `module:function` of a `Connector`; empty if senders do not go to receivers but serve them.
        takes: the fields of `Access` that it has a use for.
        silence_s: how long a stream may pause before its sender counts as gone.
        extra: the optional part of this project that it needs; empty if it needs none.
        modules: what that part must have installed.
    """

    form: str
    opener: str
    connector: str = ""
    takes: frozenset[str] = frozenset()
    silence_s: float = 3.0
    extra: str = ""
    modules: tuple[str, ...] = ()


FADE_S = 30.0
"""A link that comes back within this, as of a drone behind a hill, goes on with the same stream."""

BROKER_AWAY_S = 30.0
"""A broker that is silent is given up after 22 s and tried again after 5 s at most; then the sender may go on."""


def _mqtt(form: str) -> Scheme:
    return Scheme(
        form,
        "progressive.transport.mqtt.receiving:join",
        takes=frozenset({"key_file", "max_age_s", "password_file", "ca_file"}),
        silence_s=BROKER_AWAY_S,
        extra="mqtt",
        modules=("aiomqtt", "amqtt"),
    )


SCHEMES = {
    "udp": Scheme(
        "udp://HOST:PORT",
        "progressive.transport.udp:listen",
        "progressive.transport.udp:connect",
        frozenset({"inner_parity", "key_file", "max_age_s"}),
    ),
    "webrtc": Scheme(
        "webrtc://HOST:PORT",
        "progressive.transport.webrtc.join:join",
        takes=frozenset({"token_file", "ice_server"}),
        extra="webrtc",
        modules=("aiohttp", "aiortc"),
    ),
    "mqtt": _mqtt("mqtt://[USER@HOST[:PORT]][/TOPIC]"),
    "mqtts": _mqtt("mqtts://[USER@]HOST[:PORT][/TOPIC]"),
}


def scheme_of(url: str, access: Access) -> str:
    """The scheme of an address; raises UsageError if there is none such, what it needs is not installed, or it has no
    use for something set."""
    scheme, separator, _ = url.partition("://")
    kind = kind_of(scheme) if separator else None
    if kind is None:
        others = [f"{name}://.." for name in entry_points(TRANSPORTS)]
        forms = " or ".join([*(known.form for known in SCHEMES.values()), *others])
        raise UsageError(f"{url!r} is not an address: write {forms}")
    access.check(scheme, kind.takes)
    if not all(map(find_spec, kind.modules)):
        raise UsageError(f"{scheme}:// needs the extra {kind.extra!r}: pip install 'progressive[{kind.extra}]'")
    return scheme


def kind_of(scheme: str) -> Scheme | None:
    """The kind of address with this scheme, of this project or of another package; None if there is none.

    Raises UsageError if another package's cannot be imported, or is none.
    """
    return SCHEMES.get(scheme) or found_in(TRANSPORTS, scheme, Scheme)


def usual_silence_s(url: str, access: Access, *, stays: bool = False) -> float:
    """How long a stream from this address may pause before its sender counts as gone; raises as `scheme_of` does.

    A receiver that stays has time: who sends next does not wait until it gives up the one before.
    """
    usual_s = _kind(url, access).silence_s
    return max(usual_s, FADE_S) if stays else usual_s


async def open_receiver(url: str, access: Access, say: Say) -> ReceivingTransport:
    """Opens what a receiver receives by; raises UsageError if that is impossible."""
    opener: Opener = imported(_kind(url, access).opener)
    return await opener(url, access, say)


async def open_sender(url: str, access: Access, say: Say) -> Transport:
    """Opens what a sender sends to the receiver at an address by; raises UsageError if that is impossible."""
    connector: Connector = imported(_kind(url, access).connector)
    return await connector(url, access, say)


def _kind(url: str, access: Access) -> Scheme:
    kind = kind_of(scheme_of(url, access))
    assert kind is not None
    return kind
