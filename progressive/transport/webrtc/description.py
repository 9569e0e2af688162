"""Session descriptions (SDP, RFC 8866), checked before anything acts on them.

Of what the other end wrote only the few values are taken that a data channel needs (RFC 8841), each checked, and
written anew: the WebRTC library never sees a line that this module did not write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address

from progressive.errors import WireError

MAX_BYTES = 1 << 14
"""Largest description: browsers on machines with many addresses write some 4 kB."""

MAX_CANDIDATES = 32
"""Most addresses at which the other end may be looked for: a description must not make us probe a network."""

MAX_PROBED = 4
"""Most that are written to: a browser is at two or three, each takes some hundred bytes several times."""

_MEDIA = re.compile(r"application \d{1,5} (UDP|TCP)/DTLS/SCTP webrtc-datachannel")
_USER = re.compile(r"[A-Za-z0-9+/=\-]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/=\-]{22,256}")
_FINGERPRINT = re.compile(
    r"(?:sha-256 (?:[0-9A-F]{2}:){31}|sha-384 (?:[0-9A-F]{2}:){47}|sha-512 (?:[0-9A-F]{2}:){63})[0-9A-F]{2}"
)
_MID = re.compile(r"[A-Za-z0-9]{1,32}")
_SETUP = {"actpass", "active", "passive"}
_HIDDEN = re.compile(r"[0-9A-Za-z\-]{1,63}\.local")
_KINDS = {"host", "srflx", "prflx", "relay"}


@dataclass(frozen=True, slots=True)
class Description:
    """One end of a connection of nothing but data channels.

    Fields:
        user, password: of the connectivity checks (ICE, RFC 8839).
        fingerprints: of the certificate (DTLS), algorithm and value.
        setup: "actpass", "active" or "passive": who begins the handshake.
        mid: name of the media section.
        sctp_port: 1..65535.
        max_message: largest message that is taken, in bytes; 0 for any.
        candidates: addresses, as written after `candidate:`.
        hidden: the same, behind names that only multicast DNS resolves.
    """

    user: str
    password: str
    fingerprints: tuple[str, ...]
    setup: str
    mid: str
    sctp_port: int
    max_message: int
    candidates: tuple[str, ...]
    hidden: tuple[str, ...]

    def near(self, remote: str) -> Description:
        """The description with only those candidates that the one who sent it from this address may well be at: at the
        address itself and, of a private one, at private ones. There is one at least.

        Addresses are sent to before anybody there has asked for it: nobody may choose whom we write to. Whoever is
        elsewhere as well writes to us, and is found by that (RFC 8445, 7.3.1.3).
        """
        candidates = [written for written in self.candidates if _is_near(_host(written), remote)]
        if not candidates and self.candidates:
            words = self.candidates[0].split()
            candidates = [" ".join([*words[:4], remote, *words[5:]])]
        return replace(self, candidates=tuple(candidates[:MAX_PROBED]), hidden=self.hidden[:MAX_PROBED])

    def to_sdp(self) -> str:
        """The description without its hidden candidates."""
        lines = [
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {self.mid}",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{self.mid}",
            f"a=ice-ufrag:{self.user}",
            f"a=ice-pwd:{self.password}",
            *(f"a=fingerprint:{fingerprint}" for fingerprint in self.fingerprints),
            f"a=setup:{self.setup}",
            f"a=sctp-port:{self.sctp_port}",
            f"a=max-message-size:{self.max_message}",
            *(f"a=candidate:{candidate}" for candidate in self.candidates),
        ]
        return "".join(f"{line}\r\n" for line in lines)


def parse_description(sdp: str) -> Description:
    """Parses a description with exactly one media section, for data channels; raises WireError for anything else."""
    if len(sdp.encode(errors="replace")) > MAX_BYTES:
        raise WireError(f"description of over {MAX_BYTES} bytes")
    lines = sdp.splitlines()
    if not lines or lines[0] != "v=0":
        raise WireError("not a session description: it does not begin with v=0")
    media = [line.removeprefix("m=") for line in lines if line.startswith("m=")]
    if len(media) != 1 or not _MEDIA.fullmatch(media[0]):
        raise WireError("a description of a data channel has one section, of an application over UDP/DTLS/SCTP")
    values: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            values.setdefault(name, []).append(value)
    candidates = values.get("candidate", [])
    if len(candidates) > MAX_CANDIDATES:
        raise WireError(f"{len(candidates)} candidates, at most {MAX_CANDIDATES} are looked at")
    usable = [written for candidate in candidates if (written := _parse_candidate(candidate))]
    setup = _one(values, "setup")
    if setup not in _SETUP:
        raise WireError("setup is none of actpass, active and passive")
    fingerprints = tuple(
        dict.fromkeys(
            value.partition(" ")[0].lower() + " " + value.partition(" ")[2].upper()
            for value in values.get("fingerprint", [])
        )
    )
    if not 1 <= len(fingerprints) <= 4 or not all(_FINGERPRINT.fullmatch(value) for value in fingerprints):
        raise WireError("no fingerprint of a certificate, or one that is not SHA-256, 384 or 512")
    return Description(
        _matching(values, "ice-ufrag", _USER),
        _matching(values, "ice-pwd", _PASSWORD),
        fingerprints,
        setup,
        _matching(values, "mid", _MID),
        _number(values, "sctp-port", 1, 0xFFFF, default=5000),
        _number(values, "max-message-size", 0, 0xFFFFFFFF, default=65536),
        tuple(candidate for candidate in usable if not _is_hidden(candidate)),
        tuple(candidate for candidate in usable if _is_hidden(candidate)),
    )


def _one(values: dict[str, list[str]], name: str) -> str:
    found = set(values.get(name, []))
    if len(found) != 1:
        raise WireError(f"a description needs one {name}")
    return found.pop()


def _matching(values: dict[str, list[str]], name: str, form: re.Pattern[str]) -> str:
    value = _one(values, name)
    if not form.fullmatch(value):
        raise WireError(f"{name} is not well formed")
    return value


def _number(values: dict[str, list[str]], name: str, least: int, most: int, *, default: int) -> int:
    if name not in values:
        return default
    value = _one(values, name)
    if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= most:
        raise WireError(f"{name} is not a number of {least} to {most}")
    return int(value)


def _is_hidden(candidate: str) -> bool:
    return _host(candidate).endswith(".local")


def _host(candidate: str) -> str:
    return candidate.split()[4]


def _is_near(host: str, remote: str) -> bool:
    try:
        there, here = ip_address(host), ip_address(remote)
    except ValueError:
        return False
    return there == here or (there.is_private and here.is_private)


def _parse_candidate(text: str) -> str:
    """A candidate (RFC 8839, 5.1) written anew; empty for one over TCP, of another component, or of an unknown type."""
    words = text.split()
    if len(words) < 8 or words[6] != "typ":
        raise WireError("a candidate is not well formed")
    foundation, component, protocol, priority, host, port, _, kind = words[:8]
    if protocol.lower() != "udp" or component != "1" or kind not in _KINDS:
        return ""
    numbers = re.fullmatch(r"[0-9]{1,10}", priority) and re.fullmatch(r"[0-9]{1,5}", port)
    if not re.fullmatch(r"[A-Za-z0-9+/]{1,32}", foundation) or not numbers or not 1 <= int(port) <= 0xFFFF:
        raise WireError("a candidate is not well formed")
    if not _HIDDEN.fullmatch(host):
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            raise WireError("a candidate's host is no address") from None
        if address.is_multicast or address.is_unspecified:
            return ""
        host = str(address)
    return f"{foundation} 1 udp {priority} {host} {port} typ {kind}"
