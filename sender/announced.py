"""What of a stream is announced to receivers and first planned, and what makes its packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from progressive.errors import UsageError
from progressive.packing.packed import PackedStream
from progressive.packing.packetizer import SourceBlock, shapes_of
from progressive.stream import LayeredStream
from progressive.wire.fec import BlockEncoder
from progressive.wire.manifest import MAX_BLOCKS
from progressive.wire.protection import BlockShape, Goal, Plan, plan_protection
from progressive.wire.stripes import encoder_of_class
from sender.loss_estimate import unanswered
from sender.manifests import reserve_of
from sender.settings import SenderSettings


def packed_for(stream: LayeredStream | PackedStream, settings: SenderSettings) -> PackedStream:
    """The stream in packets as the settings say; raises UsageError if it was packed for others."""
    if isinstance(stream, LayeredStream):
        return PackedStream.of(stream, settings.payload_size, short=settings.short)
    if (stream.payload_size, stream.short) != (settings.payload_size, settings.short):
        raise UsageError("the stream was packed for packets of another size than the settings say: pack it anew")
    return stream


def announced(
    packed: PackedStream, settings: SenderSettings, budget: int
) -> tuple[Plan, Goal, list[BlockShape], PackedStream]:
    """The plan, its goal, the shapes it was made for, and the part of the stream that is announced.

    That is what is planned; of a stream that grows all that could be sent without any losses, at any rate. `budget`
    are the bytes until the deadline.
    """
    if packed.short and len(packed.blocks) > MAX_BLOCKS:
        packed = packed.first([len(block.packets) for block in packed.blocks[:MAX_BLOCKS]])
    overhead = settings.wire_size_of_payload(0)
    ahead = unanswered(settings.expect, left_s=settings.deadline_s, lag_s=0.0) if settings.answers else settings.expect
    if packed.short:
        budget = max(0, budget - reserve_of(packed, settings, budget))
    goal = Goal(budget, settings.redundancy, ahead, overhead_bytes=overhead)
    if settings.grows and not settings.follow:
        packed = _part(packed, plan_protection("none", _shapes(packed, settings), goal))
    shapes = _shapes(packed, settings)
    plan = plan_protection(settings.protection, shapes, goal)
    if settings.grows:
        return replace(plan, sources=tuple(shape.k for shape in shapes)), goal, shapes, packed
    return plan, goal, shapes, _part(packed, plan)


def encoders_of(blocks: Sequence[SourceBlock], plan: Plan) -> list[BlockEncoder]:
    """What makes the packets of each block."""
    payloads = [[packet.payload for packet in block.packets] for block in blocks]
    if not plan.striped:
        return [BlockEncoder(own) for own in payloads]
    return [encoder_of_class(b"".join(own), k) for own, k in zip(payloads, plan.sources, strict=False)]


def _shapes(packed: PackedStream, settings: SenderSettings) -> list[BlockShape]:
    return shapes_of(packed.blocks, packed.stream.segments, settings.wire_size_of_payload)


def _part(packed: PackedStream, plan: Plan) -> PackedStream:
    """What a plan sends."""
    if packed.short:
        return packed.first(plan.sources)
    sent = {
        segment
        for block, count in zip(packed.blocks, plan.sources, strict=True)
        for packet in block.packets[: len(block.packets) if plan.striped and count else count]
        for segment in packet.segments
    }
    return packed.keep(sent)
