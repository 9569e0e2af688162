"""How pictures look: a codec may have several ways of making them of the same bytes, and the receiver chooses."""

from __future__ import annotations

from typing import Protocol, cast

from progressive.codec import FAITHFUL, Photo, ProgressiveCodec, ProgressiveDecoder
from progressive.errors import UsageError
from progressive.runtime.stopping import Stop, never
from progressive.suggestions import use_one_of

NATURAL = "natural"

LOOKS = {
    FAITHFUL: "as close to the photo as can be, soft where little is known",
    NATURAL: "sharp like a photo, details invented where little is known",
}


class LookingDecoder(ProgressiveDecoder, Protocol):
    """A decoder of a codec whose traits name several looks."""

    def picture(self, *, stop: Stop = never, look: str = FAITHFUL) -> Photo:
        """The picture of what has been pushed, in this look."""
        ...


class LookingCodec(ProgressiveCodec, Protocol):
    """A codec whose traits name several looks."""

    def prepare_look(self, look: str) -> None:
        """Loads what a look needs; raises UsageError if it is missing or damaged."""
        ...


def check_look(look: str) -> None:
    """Raises UsageError for an unknown look."""
    if look not in LOOKS:
        raise UsageError(f"unknown look {look!r}: {use_one_of(look, LOOKS)}")


def wanted_looks(look: str, *, all_of_them: bool) -> tuple[str, ...]:
    """This look, and the others behind it if they are wanted too; raises UsageError for an unknown one."""
    check_look(look)
    return (look, *(other for other in LOOKS if other != look and all_of_them))


def prepared_look(codec: ProgressiveCodec, look: str) -> str:
    """The look if the codec has it, ready to be used, else the faithful one, which all have.

    Raises UsageError for an unknown look, and if what it needs is missing or damaged.
    """
    check_look(look)
    if look == FAITHFUL or look not in codec.traits.looks:
        return FAITHFUL
    cast(LookingCodec, codec).prepare_look(look)
    return look


def picture_in(decoder: ProgressiveDecoder, look: str, *, stop: Stop = never) -> Photo:
    """A decoder's picture in a look that its codec has."""
    if look == FAITHFUL:
        return decoder.picture(stop=stop)
    return cast(LookingDecoder, decoder).picture(stop=stop, look=look)
