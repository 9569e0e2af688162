"""The topics of a stream; `progressive/wire/FORMAT.md` has them in a table."""

from __future__ import annotations

from dataclasses import dataclass

from progressive.wire.packet import Header, Kind

BASE, ENHANCE, FEEDBACK, TRIAL = "base", "enhance", "feedback", "trial"


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

    @property
    def base_prefix(self) -> str:
        """How the topics of the base begin."""
        return f"{self.prefix}/{BASE}/"

    @property
    def trial(self) -> str:
        """Where a sender finds out what the broker passes on."""
        return f"{self.prefix}/{BASE}/{TRIAL}"

    def is_senders(self, topic: str) -> bool:
        """Whether packets of a sender are published there."""
        return topic == self.enhance or (topic.startswith(self.base_prefix) and topic != self.trial)

    def of(self, header: Header, base_blocks: int) -> tuple[str, bool]:
        """Where a sender's packet goes, and whether the broker is to keep it; `base_blocks` make the base."""
        if header.kind is Kind.DATA and header.block < base_blocks and header.index < header.k:
            return self.base(header.block, header.index), True
        return self.enhance, False
