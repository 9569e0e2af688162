"""The topics of a stream; `progressive/wire/FORMAT.md` has them in a table."""

from __future__ import annotations

from dataclasses import dataclass

from progressive.wire.packet import Header, Kind

BASE, ENHANCE, FEEDBACK = "base", "enhance", "feedback"


@dataclass(frozen=True, slots=True)
class Topics:
    """Under a prefix.

    Fields:
        prefix: the topic of the address.
    """

    prefix: str

    @property
    def every_base(self) -> str:
        """What to subscribe to for all source packets of the base."""
        return f"{self.prefix}/{BASE}/#"

    @property
    def enhance(self) -> str:
        return f"{self.prefix}/{ENHANCE}"

    @property
    def feedback(self) -> str:
        return f"{self.prefix}/{FEEDBACK}"

    def base(self, block: int, index: int) -> str:
        return f"{self.prefix}/{BASE}/{block}/{index}"

    def is_base(self, topic: str) -> bool:
        """Whether this is the topic of a source packet of the base."""
        return topic.startswith(f"{self.prefix}/{BASE}/")

    def of(self, header: Header, base_blocks: int) -> tuple[str, bool]:
        """Where a sender's packet goes, and whether the broker is to keep it; `base_blocks` make the base."""
        if header.kind is Kind.DATA and header.block < base_blocks and header.index < header.k:
            return self.base(header.block, header.index), True
        return self.enhance, False
