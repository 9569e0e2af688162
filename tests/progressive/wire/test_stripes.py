import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import WireError
from progressive.loss_model import LossModel
from progressive.wire.packet import OVERHEAD, Kind, Packet, parse_packet
from progressive.wire.protection import BlockShape, Goal, Progress, plan_protection, replan
from progressive.wire.stripes import Stripe, encoder_of_class, parse_stripes, stripe_size, write_stripes
from receiver.reassembly import Reassembler
from receiver.settings import ReceiverSettings
from sender.events import PacketSent
from sender.session import SenderSession
from sender.settings import SenderSettings


def striped_packets(stream, seconds=10.0):
    settings = SenderSettings(50_000, protection="pet", feedback=False, deadline_s=seconds)
    session = SenderSession(stream, settings, stream_id=1, now=0.0)
    packets, now = [], 0.0
    while (timer := session.next_timer()) is not None:
        now = max(now, timer)
        packets += [parse_packet(datagram) for datagram in session.datagrams_to_send(now)]
    sizes = [event.size for event in iter(session.next_event, None) if isinstance(event, PacketSent)]
    assert max(sizes) <= settings.packet_size
    return session.plan, [packet for packet in packets if packet.kind is Kind.STRIPES]


@given(st.integers(0, 100))
def test_any_k_packets_give_a_class_and_fewer_do_not(seed):
    stream = make_stream(base=3, enhance=20, seed=seed % 3)
    plan, packets = striped_packets(stream)
    ks = [k for k in plan.sources if k]
    assert ks == sorted(ks)
    assert max(ks) < len(packets)
    rng = random.Random(seed)
    rng.shuffle(packets)
    reassembler = Reassembler(ReceiverSettings())
    for number, packet in enumerate(packets[: ks[-1]], start=1):
        for arrival in reassembler.add(packet):
            assert arrival.payload == stream.segments[arrival.segment_id - 1].payload
        assert reassembler.whole_blocks == sum(k <= number for k in ks)
    assert reassembler.complete


def test_heavier_losses_make_classes_need_fewer_packets():
    blocks = [BlockShape(0, (1000,) * 2), BlockShape(1, (1000,) * 8), BlockShape(2, (1000,) * 16)]
    light, heavy = (
        plan_protection("pet", blocks, Goal(60_000, model=model, objective="final"))
        for model in (LossModel(0.01), LossModel(0.4, 4))
    )
    assert light.striped
    assert light.sources[2] > 0
    assert heavy.sources[1] < light.sources[1]
    for plan in (light, heavy):
        assert sum(plan.sizes) <= 60_000
        assert max(plan.sizes) <= 1000


def test_the_rest_of_a_striped_plan_is_further_packets_of_the_same_stripes():
    blocks = [BlockShape(0, (1000,) * 2), BlockShape(1, (1000,) * 8)]
    plan = plan_protection("pet", blocks, Goal(30_000))
    progress = Progress(plan.slots[:10], (None,) * 10, sources=plan.sources)
    rest = replan("pet", blocks, Goal(10_000), progress)
    assert rest.slots[0].index == 10
    assert rest.sources == plan.sources
    assert set(rest.sizes) == set(plan.sizes)
    assert sum(rest.sizes) <= 10_000


@given(st.binary(min_size=1, max_size=300), st.integers(1, 64))
def test_a_class_is_its_stripes_padded_with_zeros(data, k):
    encoder = encoder_of_class(data, k)
    sources = [encoder.payload(i) for i in range(k)]
    assert b"".join(sources).rstrip(b"\0") == data.rstrip(b"\0")
    stripes = [Stripe(7, k, encoder.payload(k)), Stripe(8, 1, b"x")]
    payload = write_stripes(stripes)
    assert parse_stripes(payload) == stripes
    assert len(payload) == stripe_size(len(data), k) + stripe_size(1, 1)


@given(st.binary(max_size=60))
def test_stripes_parse_or_are_refused(payload):
    with suppress(WireError):
        assert write_stripes(parse_stripes(payload)) == payload


@pytest.mark.parametrize(
    "payload",
    [b"\0", b"\0\1\0\0\1x", b"\0\1\5\0\0", b"\0\1\5\0\2x", write_stripes([Stripe(1, 2, b"x")] * 2)],
)
def test_nonsense_stripes_are_refused(payload):
    with pytest.raises(WireError):
        parse_stripes(payload)


@pytest.mark.parametrize("fields", [{"block": 1}, {"k": 3}, {"index": 192}])
def test_striped_packets_belong_to_no_block(fields):
    packet = Packet(Kind.STRIPES, 1, 0, write_stripes([Stripe(0, 1, b"x")]), **fields)
    with pytest.raises(WireError, match="striped"):
        parse_packet(packet.to_bytes())
    assert len(packet.to_bytes()) == OVERHEAD + 6
