"""What a picture is for: a codec that can be told orders its segments by it, others have one order for all.

A codec has contexts if its `encode` takes the keyword `context`, a name of `progressive.semantics.blend.CONTEXTS`.
"""

from __future__ import annotations

import inspect

from progressive.codec import Photo, ProgressiveCodec
from progressive.errors import UsageError
from progressive.semantics.blend import check_context
from progressive.stream import LayeredStream


def encode_in_context(
    codec: ProgressiveCodec, photo: Photo, *, max_payload: int, context: str | None = None
) -> LayeredStream:
    """The photo's stream, ordered for a context if one is given; see `check_has_contexts`."""
    ordering = {} if context is None else {"context": context}
    return codec.encode(photo, max_payload=max_payload, **ordering)


def has_contexts(codec: ProgressiveCodec) -> bool:
    return "context" in inspect.signature(codec.encode).parameters


def check_has_contexts(codec: ProgressiveCodec) -> None:
    """Raises UsageError if the codec has one order for its segments, whatever the picture is for."""
    if not has_contexts(codec):
        raise UsageError(f"{codec.name} orders its segments one way only: leave --context out")


def context_for(codec: ProgressiveCodec, asked: str | None, *, default: str | None = None) -> str | None:
    """The context asked for, else the default if the codec has contexts; None leaves the order to the codec.

    Raises UsageError for an unknown context, and for one asked of a codec that has none.
    """
    if asked is not None:
        check_context(asked)
        check_has_contexts(codec)
        return asked
    return default if has_contexts(codec) else None
