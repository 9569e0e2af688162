"""What a run is, settled once for every kind of address: its codec, and what its pictures are for."""

from __future__ import annotations

from dataclasses import replace

from progressive.codec import ProgressiveCodec, with_effort
from progressive.contexts import context_for
from progressive.models import make_known
from progressive.registry import load_codec
from progressive.semantics.blend import DEFAULT_CONTEXT
from sender.frames import is_sequence
from sender.options import SenderOptions


def settled(options: SenderOptions) -> tuple[ProgressiveCodec, SenderOptions]:
    """The codec, which receivers in this process then know too, and the options with a context that it has.

    Raises UsageError if it has not the one asked for, or if packets are too small for what it makes.
    """
    make_known(options.codec)
    codec = with_effort(load_codec(options.codec), options.effort)
    has_frames = options.source is not None and is_sequence(options.source, options.every_s)
    options.settings.max_segment_payload(codec.traits.smallest_payload, placed=has_frames)
    return codec, replace(options, context=context_for(codec, options.context, default=DEFAULT_CONTEXT))
