"""The session in a browser against the receiver's own: the same datagrams, the same events and reports."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import msgpack
import pytest
from browser_files import blank_page
from chromium import Page, needs_chromium
from streams import make_stream

from progressive.errors import WireError
from progressive.stream import StreamHeader
from progressive.wire.about import About
from progressive.wire.control import Ask, End, parse_message
from progressive.wire.expected_quality import Curve
from progressive.wire.fec import BlockEncoder
from progressive.wire.manifest import Manifest
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.placement import Placement, header_data
from progressive.wire.records import HEADER_ID, Record, write_records
from progressive.wire.stripes import Stripe, encoder_of_class, write_stripes
from receiver.events import (
    AboutTold,
    DatagramDropped,
    PacketReceived,
    PacketRecovered,
    QualityTold,
    ReceiverEvent,
    SegmentReceived,
    StreamEnded,
    StreamStarted,
)
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

HELPERS = """
globalThis.bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
globalThis.hexOf = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
"""


async def call(page: Page, function: str, *arguments: Any) -> Any:
    """What a JavaScript function, of an import and these arguments, returns."""
    return await page.evaluate(f"({function})(...{json.dumps(arguments)})")


def damaged(datagram: bytes, rng: random.Random) -> bytes:
    """A datagram with a bit changed, cut short, or with something behind it; of the header half of the time, under a
    checksum that fits."""
    kind = rng.randrange(4)
    if kind == 0:
        return datagram[: rng.randrange(len(datagram))]
    if kind == 1:
        return datagram + rng.randbytes(rng.randrange(1, 5))
    changed = bytearray(datagram)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def resealed(packet: Packet, rng: random.Random) -> bytes:
    """A packet whose header says what none of ours does, under a checksum that fits; not one of the short form, which
    no browser is sent."""
    import google_crc32c

    body = bytearray(packet.to_bytes()[:-4])
    place = rng.choice([0, 1, 10, 11, 12, 13, 14])
    body[place] = rng.randrange(256) if place else 0x10 | rng.randrange(16)
    return bytes(body) + google_crc32c.value(bytes(body)).to_bytes(4, "big")


def fields_of(datagram: bytes) -> list[Any] | None:
    try:
        packet = parse_packet(datagram)
    except WireError:
        return None
    numbers = [packet.kind, packet.stream, packet.sequence, packet.block, packet.index, packet.k, packet.n]
    return [*map(int, numbers), packet.payload.hex()]


async def test_packets_are_taken_and_refused_as_by_the_receiver() -> None:
    rng = random.Random(1)
    datagrams = list[bytes]()
    for _ in range(300):
        k = rng.randint(1, 64)
        block = {"block": rng.randrange(1 << 16), "index": rng.randrange(256), "k": k, "n": rng.randint(k, 255)}
        payload = rng.randbytes(rng.choice([0, 1, 40, 1000, 1451]))
        packet = Packet(Kind.DATA, rng.randrange(1 << 32), rng.randrange(1 << 32), payload, **block)
        striped = Packet(Kind.STRIPES, 7, 1, payload, index=rng.randrange(192), n=9)
        control = Packet(Kind.CONTROL, 7, 1, payload)
        manifest = Packet(Kind.MANIFEST, 7, 1, payload)
        for each in (packet, striped, control, manifest):
            datagrams += [each.to_bytes(), damaged(each.to_bytes(), rng), resealed(each, rng)]
    parse = """async (datagrams) => {
        const { parsePacket } = await import("/session/packets.js");
        return datagrams.map((text) => {
            try {
                const { kind, stream, sequence, block, index, k, n, payload } = parsePacket(bytesOf(text));
                return [kind, stream, sequence, block, index, k, n, hexOf(payload)];
            } catch (error) {
                if (error.constructor.name !== "WireError") throw error;
                return null;
            }
        });
    }"""
    expected = [fields_of(datagram) for datagram in datagrams]
    assert 300 < expected.count(None) < len(datagrams) - 900
    async with blank_page() as page:
        await page.evaluate(HELPERS)
        assert await call(page, parse, [datagram.hex() for datagram in datagrams]) == expected


async def test_any_k_packets_of_zfecs_restore_a_block() -> None:
    rng = random.Random(2)
    blocks = []
    for k in [1, 2, 3, 8, 31, 64, 64]:
        sources = [rng.randbytes(rng.randint(1, 90)) for _ in range(k)]
        encoder = BlockEncoder(sources)
        chosen = rng.sample(range(256), k)
        packets = [(index, encoder.payload(index).hex()) for index in chosen]
        length = max(map(len, sources))
        whole = {str(i): s.ljust(length, b"\0").hex() for i, s in enumerate(sources) if i not in chosen}
        blocks.append((k, packets, whole))
    restore = """async (k, packets) => {
        const { BlockDecoder } = await import("/session/fec.js");
        const block = new BlockDecoder(k);
        let restored;
        for (const [index, payload] of packets) restored = block.add(index, bytesOf(payload));
        return Object.fromEntries([...restored].map(([index, source]) => [index, hexOf(source)]));
    }"""
    async with blank_page() as page:
        await page.evaluate(HELPERS)
        for k, packets, whole in blocks:
            assert await call(page, restore, k, packets) == whole


def blocks_of(stream: Any, header: bytes, rng: random.Random) -> Iterator[tuple[int, list[bytes]]]:
    """The sources of each block: the base with the header in every packet, then tiers of a few packets."""
    records = [Record(segment.id, segment.payload) for segment in stream.segments]
    yield 0, [write_records([Record(HEADER_ID, header), record]) for record in records[:3]]
    rest, number = records[3:], 1
    while rest:
        size = rng.randint(1, 6)
        yield number, [write_records(rest[i : i + 2]) for i in range(0, min(2 * size, len(rest)), 2)]
        rest, number = rest[2 * size :], number + 1


def packets_of(stream_id: int, rng: random.Random, *, striped: bool, canvas: int | None, more: bool) -> list[Packet]:
    """A stream as it is sent, its end included; of a part of a frame if there is a canvas."""
    stream = make_stream(base=3, enhance=rng.randint(4, 40), payload=(5, 60))
    width, height = stream.header.width, stream.header.height
    placement = None if canvas is None else Placement(canvas, width + 9, height + 8, 5, 4)
    header = header_data(stream.header, placement)
    packets = list[Packet]()
    if striped:
        classes = [(number, b"".join(sources)) for number, sources in blocks_of(stream, header, rng)]
        encoders = [(number, k := min(4 + 3 * number, 64), encoder_of_class(data, k)) for number, data in classes]
        for index in range(40):
            stripes = [Stripe(number, k, encoder.payload(k + index)) for number, k, encoder in encoders]
            packets.append(Packet(Kind.STRIPES, stream_id, len(packets), write_stripes(stripes), index=index, n=40))
    else:
        for number, sources in blocks_of(stream, header, rng):
            encoder = BlockEncoder(sources)
            for index in range(encoder.k + encoder.k // 2 + 1):
                payload = encoder.payload(index)
                place = {"block": number, "index": index, "k": encoder.k, "n": 255}
                packets.append(Packet(Kind.DATA, stream_id, len(packets), payload, **place))
    last = rng.randint(3, 50)
    curve = Curve.of(3, last, 2, sorted(rng.uniform(5, 50) for _ in range(3 if last == 3 else rng.randint(4, 9))))
    for place in rng.sample(range(len(packets)), 3):
        told = Manifest(curve if rng.random() < 0.7 else None, about=rng.choice(ABOUTS)).to_bytes()
        packets.insert(place, Packet(Kind.MANIFEST, stream_id, 0, told + bytes([9, 1, 7]) * rng.randrange(2)))
    if rng.random() < 0.5:
        packets.insert(rng.randrange(6), Packet(Kind.CONTROL, stream_id, 0, Ask(stream=stream_id).to_bytes()))
    packets = [replace(packet, sequence=sequence) for sequence, packet in enumerate(packets)]
    for _ in range(3):
        end = End(stream=stream_id, more=more, repeats=rng.random() < 0.2)
        packets.append(Packet(Kind.CONTROL, stream_id, len(packets), end.to_bytes()))
    return packets


def journey(rng: random.Random) -> list[tuple[float, bytes]]:
    """Three streams over a link that loses, repeats, overtakes and damages; when each datagram arrives."""
    ids = [rng.randrange(1 << 32) for _ in range(3)]
    arrivals = list[tuple[float, bytes]]()
    now = 5.0
    for number, stream_id in enumerate(ids):
        canvas = ids[number - 1] if number and rng.random() < 0.5 else None
        striped = rng.random() < 0.3
        for packet in packets_of(stream_id, rng, striped=striped, canvas=canvas, more=number < 2):
            now += rng.expovariate(30)
            now += 12.0 * (rng.random() < 0.01)
            fate = rng.random()
            if fate < 0.2:
                continue
            datagram = packet.to_bytes()
            if fate < 0.3:
                datagram = damaged(datagram, rng) if fate < 0.26 else resealed(packet, rng)
            arrivals.append((now + (rng.random() if fate > 0.9 else 0.0), datagram))
            if fate > 0.95:
                arrivals.append((now + 2 * rng.random(), datagram))
        if rng.random() < 0.3:
            other = rng.randrange(1 << 32)
            end = Packet(Kind.CONTROL, other, 0, End(stream=other, more=False).to_bytes()).to_bytes()
            arrivals.append((now - 0.5, end))
    return sorted(arrivals, key=lambda arrival: arrival[0])


NO_TIE = 1e-9
"""What lies between two roundings is rounded up in both languages."""

ABOUTS = [
    None,
    About(name="cliff & <b>\u65e5.jpg", taken="2030-01-31T18:00:00+01:00"),
    About(latitude=-47.5, longitude=11),
]

SHOWN = [[], [1], [1, 2, 3], [1, 2, 3, 4, 7], list(range(1, 40)), [2, 9, 70]]
"""Segments of which pictures are asked how good they are expected to be."""


def told(event: ReceiverEvent) -> list[Any]:
    match event:
        case PacketReceived():
            blocks = [list(block) for block in event.blocks]
            values = [event.sequence, event.kind, blocks, event.index, event.size, event.late]
            return ["packet", event.stream_id, round(event.time_s, 6), *values, event.received, event.expected]
        case PacketRecovered():
            return ["recovered", event.stream_id, event.block, event.index]
        case StreamStarted():
            place = event.placement
            where = place and [place.canvas, place.width, place.height, place.left, place.top]
            return ["started", event.stream_id, told_header(event.header), where, round(event.first_s, 6)]
        case AboutTold():
            about = event.about
            values = [about.name, about.taken, about.latitude, about.longitude, about.altitude_m]
            return ["about", event.stream_id, *values, about.in_words()]
        case QualityTold():
            return ["quality", event.stream_id, [round(event.expectation.psnr(shown) + NO_TIE, 6) for shown in SHOWN]]
        case SegmentReceived():
            return ["segment", event.stream_id, event.segment_id, event.payload.hex(), event.recovered]
        case StreamEnded():
            return ["ended", event.stream_id, event.reason, event.more]
        case DatagramDropped():
            return ["dropped", event.reason]
    raise AssertionError(event)


def told_header(header: StreamHeader) -> list[Any]:
    sizes = [header.width, header.height, header.segment_count]
    return [header.codec, header.model_id.hex(), *sizes, header.parameters.hex(), header.to_bytes().hex()]


def received_here(arrivals: list[tuple[float, bytes]]) -> tuple[list[list[Any]], list[dict[str, Any]]]:
    """The events and the reports of the receiver's own session."""
    session = ReceiverSession(ReceiverSettings(receiver_id=77), now=0.0)
    session.handle_timer(0.0)
    events, reports = list[list[Any]](), list[dict[str, Any]]()
    pending = [*arrivals, (inf, b"")]
    while True:
        arrival_s, datagram = pending[0]
        timer = session.next_timer()
        timer = inf if timer is None or not events else timer
        if (now := min(arrival_s, timer)) == inf:
            return events, reports
        if arrival_s <= timer:
            pending.pop(0)
            session.receive_datagram(datagram, now)
        else:
            session.handle_timer(now)
        for report in session.datagrams_to_send(now):
            packet = parse_packet(report)
            fields = parse_message(packet.payload).model_dump()
            reports.append(fields | {"recent": fields["recent"].hex(), "number": packet.sequence, "now": round(now, 6)})
        while (event := session.next_event()) is not None:
            events.append(told(event))


RECEIVE = """async (arrivals, SHOWN) => {
    const { ReceiverSession } = await import("/session/session.js");
    const { aboutInWords } = await import("/session/about.js");
    const session = new ReceiverSession({ receiver: 77 });
    const six = (value) => Number(value.toFixed(6));
    const events = [], reports = [], pending = [...arrivals, [Infinity, ""]];
    const header = ({ codec, model, width, height, segments, parameters, bytes }) =>
        [codec, model, width, height, segments, hexOf(parameters), hexOf(bytes)];
    const place = (p) => p && [p.canvas, p.width, p.height, p.left, p.top];
    const told = {
        packet: (e) => [
            e.stream, six(e.now), e.sequence, e.kind, e.blocks, e.index, e.size, e.late, e.received, e.expected,
        ],
        recovered: (e) => [e.stream, e.block, e.index],
        started: (e) => [e.stream, header(e.header), place(e.placement), six(e.firstAt)],
        about: (e) => [e.stream, ...Object.values(e.about), aboutInWords(e.about)],
        quality: (e) => [e.stream, SHOWN.map((shown) => six(e.expectation.psnr(shown) + 1e-9))],
        segment: (e) => [e.stream, e.id, hexOf(e.payload), e.recovered],
        ended: (e) => [e.stream, e.reason, e.more],
        dropped: (e) => [e.reason],
    };
    for (;;) {
        const [arrival, datagram] = pending[0];
        const timer = events.length ? session.nextTimer() : Infinity;
        const now = Math.min(arrival, timer);
        if (now === Infinity) return [events, reports];
        if (arrival <= timer) {
            pending.shift();
            session.receive(bytesOf(datagram), now);
        } else session.wake(now);
        for (const report of session.toSend(now)) reports.push([six(now), hexOf(report)]);
        for (let event; (event = session.nextEvent()); ) events.push([event.type, ...told[event.type](event)]);
    }
}"""


NONSENSE = [
    *({"name": name} for name in ("x" * 101, "\u65e5" * 41, "a\x1b[2Jb", "a\u2028b", "\u202ea", 3, None)),
    *({"taken": taken} for taken in ("yesterday", "2" * 33, "2030-13-01", "2030-01-31T25:00", 3)),
    *({"latitude": value} for value in (90.5, True, "1")),
    *({"longitude": value} for value in (float("nan"), float("inf"), -181)),
    *({"altitude_m": value} for value in (1e9, -(1 << 40))),
    *(["name"], "name", {1: 2}, {"name": b"a"}),
]
SENSE = [
    About(name="x" * 100, taken="2030-01-31"),
    About(name="<img src=x onerror=alert(1)>", altitude_m=-12.25),
    About(name="\u00e9" * 60, latitude=90, longitude=-180, altitude_m=1e5),
    About(taken="2030-01-31T18:00:00.25Z", latitude=-0.0000004, longitude=1),
    About(taken="2030-01-31 18:00"),
]


async def test_what_is_said_of_a_photo_is_taken_and_refused_as_by_the_receiver() -> None:
    parse = """async (datas) => {
        const { aboutInWords, parseAbout } = await import("/session/about.js");
        return datas.map((text) => {
            try {
                return aboutInWords(parseAbout(bytesOf(text)));
            } catch (error) {
                if (error.constructor.name !== "WireError") throw error;
                return null;
            }
        });
    }"""
    sense = [about.to_bytes() for about in SENSE]
    sense.append(msgpack.packb({"name": "cliff.jpg", "camera": None, "lens": -1.5, "iso": 1 << 40}))
    nonsense = [msgpack.packb(fields) for fields in NONSENSE]
    nonsense += [b"", b"\x81\xa4name\xa1\xff", sense[0][:-1], sense[0] + b"\xc0", bytes(254)]
    for data in nonsense:
        with pytest.raises(WireError):
            About.from_bytes(data)
    expected = [About.from_bytes(data).in_words() for data in sense] + [None] * len(nonsense)
    async with blank_page() as page:
        await page.evaluate(HELPERS)
        assert await call(page, parse, [data.hex() for data in (*sense, *nonsense)]) == expected


async def test_a_journey_over_a_bad_link_is_the_same_in_both_sessions() -> None:
    async with blank_page() as page:
        await page.evaluate(HELPERS)
        for seed in range(25):
            arrivals = journey(random.Random(seed))
            events, reports = received_here(arrivals)
            there = await call(page, RECEIVE, [(now, datagram.hex()) for now, datagram in arrivals], SHOWN)
            assert there[0] == events, seed
            sent = list[dict[str, Any]]()
            for now, text in there[1]:
                packet = parse_packet(bytes.fromhex(text))
                fields = parse_message(packet.payload).model_dump()
                sent.append(fields | {"recent": fields["recent"].hex(), "number": packet.sequence, "now": now})
            assert [approximate(report) for report in sent] == [approximate(report) for report in reports], seed
        assert page.errors == []


def approximate(report: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in report.items()}
