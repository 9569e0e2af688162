"""What the page makes of a session's events, against the receiver's own, and in what order it asks for pictures."""

import json
import random
from typing import Any

import numpy as np
import pytest
from browser_files import blank_page
from chromium import Page, needs_chromium

from progressive.wire.placement import Placement
from receiver.canvases import Canvases
from receiver.events import PacketReceived, PacketRecovered
from receiver.viewer.packet_map import PacketMap

pytestmark = [needs_chromium, pytest.mark.timeout(120)]


async def call(page: Page, function: str, *arguments: Any) -> Any:
    return await page.evaluate(f"({function})(...{json.dumps(arguments)})")


def received(rng: random.Random, sequence: int, late: bool) -> PacketReceived:
    kind = rng.choice(["source", "source", "parity", "stripes", "control"])
    blocks = {"control": (), "stripes": ((0, 3), (1, 7))}.get(kind, ((number := rng.randrange(6), 3 + number),))
    index = rng.randrange(blocks[0][1]) if kind == "source" else rng.randrange(20)
    return PacketReceived(1, 0.0, sequence, kind, blocks, index, 100, late, 1, 1)


async def test_the_fates_of_packets_are_those_that_the_viewer_shows() -> None:
    draw = """async (events) => {
        const { PacketMap } = await import("/page/packet_map.js");
        const map = new PacketMap();
        for (const [how, event] of events) map[how](event);
        return [map.marks, map.blocks(), map.late];
    }"""
    async with blank_page() as page:
        for seed in range(20):
            rng = random.Random(seed)
            own, events = PacketMap(), list[Any]()
            sequence = rng.choice([0, 0, 900])
            for _ in range(80):
                step = rng.choice([1, 1, 1, 1, 3, -2, 5000 if rng.random() < 0.05 else 2])
                sequence = max(0, sequence + step)
                event = received(rng, sequence, late=step < 0)
                own.add(event)
                fields = {name: getattr(event, name) for name in ("kind", "sequence", "blocks", "index", "late")}
                events.append(("add", fields))
                if rng.random() < 0.2:
                    block, index = rng.randrange(7), rng.randrange(9)
                    own.restore(PacketRecovered(1, block, index))
                    events.append(("restore", {"block": block, "index": index}))
            blocks = [
                [number, block.k, block.sources.decode(), len(block.parity), block.whole]
                for number, block in sorted(own.blocks.items())
            ]
            assert await call(page, draw, events) == [own.fates, blocks, own.late], seed


async def test_parts_of_frames_are_pasted_as_by_the_receiver() -> None:
    paste = """async (steps) => {
        const { Canvases } = await import("/page/canvases.js");
        const canvases = new Canvases();
        return steps.map(([stream, placement, width, height, rgb]) => {
            const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
            rgb.forEach((value, place) => { rgba[4 * Math.floor(place / 3) + (place % 3)] = value; });
            const shown = canvases.show(stream, placement, { width, height, rgba });
            return [shown.width, shown.height, [...shown.rgba].filter((_, place) => place % 4 < 3)];
        });
    }"""
    rng = np.random.default_rng(3)
    own, steps, shown = Canvases(), list[Any](), list[Any]()
    for stream in range(40):
        whole = rng.random() < 0.4
        width, height = (12, 9) if whole else rng.integers(1, 8, 2).tolist()
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        placement = None
        if not whole:
            size = (12, 9) if rng.random() < 0.8 else (14, 9)
            canvas = stream - int(rng.integers(1, 6))
            left, top = (int(rng.integers(0, room)) for room in (size[0] - width + 1, size[1] - height + 1))
            placement = Placement(max(0, canvas), *size, left, top)
        frame = own.show(stream, placement, picture)
        place = placement and {name: getattr(placement, name) for name in ("canvas", "width", "height", "left", "top")}
        steps.append((stream, place, width, height, picture.ravel().tolist()))
        shown.append([frame.shape[1], frame.shape[0], frame.ravel().tolist()])
    async with blank_page() as page:
        assert await call(page, paste, steps) == shown


REFINE = """async (networkMs, arrivals, how) => {
    const { Refinement } = await import("/page/refinement.js");
    const asked = [];
    let base = false; // whole with segment 3
    const decoder = {
        async push(stream, segments) {
            asked.push(segments.map(([id]) => id));
            const damaged = segments.filter(([id]) => id >= 100);
            base ||= segments.some(([id]) => id === 3);
            return { changed: damaged.length < segments.length, damaged, status: { baseComplete: base } };
        },
        async picture(stream, network) {
            await new Promise((resolve) => setTimeout(resolve, 30));
            return { network, ms: networkMs };
        },
        end() { asked.push("end"); },
    };
    const refinement = new Refinement(decoder, 1, async ({ network }) => {
        asked.push(network ? "network" : "linear");
    });
    const running = refinement.run();
    for (const arrival of arrivals) {
        if (arrival === "pause") {
            await new Promise((resolve) => setTimeout(resolve));
            refinement.pause(new Promise((resolve) => setTimeout(resolve, 100)).then(() => { asked.push("resume"); }));
        } else if (arrival === "settle") {
            while (asked.at(-1) !== "network") await new Promise((resolve) => setTimeout(resolve, 20));
        } else {
            for (const id of arrival) refinement.push(id, new Uint8Array(1));
            await new Promise((resolve) => setTimeout(resolve));
        }
    }
    refinement[how]();
    await running;
    return [asked, refinement.damaged];
}"""


async def test_the_linear_picture_is_shown_at_once_and_the_networks_when_things_settle() -> None:
    slow, fast = 900, 20
    first = [[1], "linear"]
    rest, fours = list(range(5, 13)), [list(range(5, 9)), list(range(9, 13))]
    async with blank_page() as page:
        for network_ms, arrivals, how, asked, damaged in (
            (slow, [[1], [2, 3]], "finish", [*first, [2, 3], "linear", "network", "end"], 0),
            (slow, [[1], "settle", [2]], "finish", [*first, "network", [2], "linear", "network", "end"], 0),
            (fast, [[1], "settle", [2], [3]], "finish", [*first, "network", [2], "network", [3], "network", "end"], 0),
            (slow, [[1], [200]], "finish", [*first, [200], "network", "end"], 1),
            (slow, [[1, 2, 3, 4, *rest]], "finish", [[1, 2, 3, 4], "linear", *fours, "linear", "network", "end"], 0),
            (slow, ["pause", [1], [2]], "finish", ["resume", [1, 2], "linear", "network", "end"], 0),
            (slow, [], "finish", ["end"], 0),
            (slow, [[1]], "cut", [*first, "end"], 0),
        ):
            assert await call(page, REFINE, network_ms, arrivals, how) == [asked, damaged]


async def test_the_history_of_pictures_is_bounded_and_keeps_the_first_and_the_last() -> None:
    keep = """async () => {
        const { Journal } = await import("/page/journal.js");
        const journal = new Journal();
        const status = { layer: 0, decoded: 1, grey: 0.251, coarse: 0.004 };
        const packet = { type: "packet", kind: "source", blocks: [[0, 1]], index: 0, sequence: 0, size: 9, now: 1 };
        const kept = [];
        for (let photo = 0; photo < 3; photo++) {
            const of = journal.observe({ ...packet, stream: photo, received: 1, expected: 1 });
            for (let n = 0; n < 60; n++) journal.addPicture(of, new Blob([new Uint8Array(2 << 20)]), status);
        }
        for (const { number, pictures } of journal.photos.values()) {
            for (const picture of pictures) {
                kept.push([number, picture.number, (await journal.picture(0, number, picture.number)).size]);
            }
        }
        journal.addPicture(journal.latest, new Blob([]), { ...status, shown: [1, 2] });
        journal.expect(journal.latest, { psnr: (shown) => 29 + shown.length });
        const [name, nothing] = [{ name: "a.jpg" }, {}].map((about) => {
            const photo = { number: 3, facts: {} };
            journal.describe(photo, { name: "", taken: "", latitude: null, longitude: null, altitude: null, ...about });
            return photo.facts.name ?? null;
        });
        return [kept, journal.latest.pictures.at(-1).gaps, journal.latest.pictures.at(-1).expected_psnr, name, nothing];
    }"""
    async with blank_page() as page:
        kept, gaps, expected_psnr, name, nothing = await page.evaluate(f"({keep})()")
    assert sum(size for *_, size in kept) <= 96 << 20
    for photo in (1, 2, 3):
        numbers = [number for of, number, _ in kept if of == photo]
        assert (numbers[0], numbers[-1]) == (0, 59)
        assert numbers == sorted(set(numbers))
    assert gaps == "25 % of the picture grey, 1 % coarse"
    assert (name, nothing) == ("photo 3: a.jpg", None)
    assert expected_psnr == 31  # though it was told after the picture was shown
