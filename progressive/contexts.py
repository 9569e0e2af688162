"""What a picture is for: a codec that can be told orders its segments by it, others have one order for all."""

from __future__ import annotations

from progressive.codec import ProgressiveCodec
from progressive.errors import UsageError
from progressive.suggestions import use_one_of


def check_context(codec: ProgressiveCodec, context: str) -> None:
    """Raises UsageError unless the codec has this context."""
    contexts = codec.traits.contexts
    if not contexts:
        raise UsageError(f"{codec.name} orders its segments one way only: leave --context out")
    if context not in contexts:
        raise UsageError(f"unknown context {context!r}: {use_one_of(context, contexts)}")


def context_for(codec: ProgressiveCodec, asked: str | None, *, default: str | None = None) -> str | None:
    """The context asked for, else the default if the codec has it; None leaves the order to the codec.

    Raises UsageError for a context that the codec does not have.
    """
    if asked is not None:
        check_context(codec, asked)
        return asked
    return default if default in codec.traits.contexts else None
