"""What the two ends are told about reaching each other, besides an address."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from progressive.errors import UsageError
from progressive.transport.keys import read_key
from progressive.wire.envelope import Envelope, PlainEnvelope


@dataclass(frozen=True, slots=True)
class Access:
    """Settings of a transport; each kind of address takes some of them, the others stay as they are here.

    Fields:
        inner_parity: bytes of parity inside each datagram, the same number on both ends.
        key_file: of the key that seals every packet; None seals nothing.
        max_age_s: how long ago, by this machine's clock, a sender may have sealed what a receiver takes.
        password_file: of the password of the user in an address.
        ca_file: of the authorities, as PEM, whose certificates are trusted; None for those of the system.
        token_file: of the tokens that let a receiver join, one a line; a receiver shows the first.
        ice_server: URLs of STUN and TURN servers; none by default, so that nothing leaves the local network.
    """

    inner_parity: int = 0
    key_file: Path | None = None
    max_age_s: float = 300.0
    password_file: Path | None = None
    ca_file: Path | None = None
    token_file: Path | None = None
    ice_server: tuple[str, ...] = ()

    def envelope(self) -> Envelope:
        """What makes datagrams of packets and back, a new one for each session; raises UsageError if there is no key
        in the file."""
        if self.key_file is None:
            return PlainEnvelope(self.inner_parity)
        from progressive.wire.sealing import SealedEnvelope

        return SealedEnvelope(read_key(self.key_file), self.inner_parity, max_age_s=self.max_age_s)

    def check(self, scheme: str, taken: frozenset[str]) -> None:
        """Raises UsageError if something is set that addresses of this scheme, which take `taken`, have no use for."""
        for field in fields(self):
            if field.name not in taken and getattr(self, field.name) != field.default:
                option = field.name.removesuffix("_s").replace("_", "-")
                raise UsageError(f"--{option} has no meaning for {scheme}:// addresses: leave it out")

    def in_words(self) -> dict[str, str]:
        """What is set, for a person; inner parity is a setting of the packets."""
        words = {
            "key file": str(self.key_file or ""),
            "password file": str(self.password_file or ""),
            "CA file": str(self.ca_file or ""),
            "token file": str(self.token_file or ""),
            "ICE servers": ", ".join(self.ice_server),
        }
        return {name: value for name, value in words.items() if value}
