"""What a run is, settled once for every kind of address: its codec, and what its pictures are for."""

from __future__ import annotations

from dataclasses import replace

from progressive.codec import ProgressiveCodec
from progressive.contexts import context_for
from progressive.registry import load_codec
from progressive.semantics.blend import DEFAULT_CONTEXT
from sender.options import SenderOptions


def settled(options: SenderOptions) -> tuple[ProgressiveCodec, SenderOptions]:
    """The codec, and the options with a context that it has; raises UsageError if it has not the one asked for."""
    codec = load_codec(options.codec)
    return codec, replace(options, context=context_for(codec, options.context, default=DEFAULT_CONTEXT))
