"""The decoder for browsers, in a real one, beside Python's on the same segments."""

import base64
import hashlib
import json
import random
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch
from aiohttp import web
from chromium import needs_chromium, open_page
from frozen_rmpgc import frozen_model, frozen_tensors

from progressive.codecs.rmpgc.backbones.multiscale import model, synthesis
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import BitstreamError
from progressive.exact.weights import weight_file
from progressive.metrics import psnr
from progressive.photos import sample_photo

pytestmark = [needs_chromium, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[4]
CODEC = ROOT / "progressive" / "browser" / "codec"
TRAINED, FROZEN = "/weights/trained", "/weights/frozen"
POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src data:"


@cache
def codec_of(path):
    return Rmpgc() if path == TRAINED else Rmpgc(frozen_model())


@cache
def weights(path):
    if path == TRAINED:
        return model.WEIGHTS.read_bytes()
    return weight_file(frozen_tensors(), {"architecture": model.ARCHITECTURE, "synthesis": synthesis.SHAPE})


@cache
def stream_of(path, height, width, payload=400, context=None, noise=0):
    photo = np.tile(sample_photo(), (1, 2, 1))[100 : 100 + height, 150 : 150 + width]
    if noise:
        photo = np.random.default_rng(3).integers(0, 256, photo.shape, dtype=np.uint8)
    return codec_of(path).encode(photo, max_payload=payload, context=context)


async def handle(request):
    if request.path == "/":
        text = "<!doctype html><link rel=icon href=data:,>"
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})
    if request.path.startswith("/weights"):
        return web.Response(body=weights(request.path))
    folder = CODEC if request.path.startswith("/codec") else Path(__file__).parent
    kind = "application/wasm" if request.path.endswith(".wasm") else "text/javascript"
    return web.Response(body=(folder / request.path.rpartition("/")[2]).read_bytes(), content_type=kind)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page() -> AsyncIterator:
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with open_page(f"http://127.0.0.1:{runner.addresses[0][1]}/") as found:
            yield found
            assert found.errors == []
    finally:
        await runner.cleanup()


async def in_browser(page, call):
    return await page.evaluate(f"import('/harness.js').then(async (harness) => {call})")


def text(data):
    return base64.b64encode(data).decode()


def arguments(path, header, segments):
    return ", ".join(json.dumps(part) for part in (path, text(header.to_bytes()), [[n, text(p)] for n, p in segments]))


def segments_of(stream):
    return [(segment.id, segment.payload) for segment in stream.segments]


def latent_of(decoder):
    """All that Python's decoder knows, as the browser's `latent` has it."""
    parts = []
    for _, tile in sorted(decoder._tiles.items()):
        parts.append(tile.levels.tobytes())
        for tensors in (tile.index, tile.symbols, tile.tiers, tile.points, tile.contexts):
            parts += [t.permute(0, 2, 3, 1).contiguous().numpy().tobytes() for t in tensors]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def pushed(decoder, segments):
    outcomes = []
    for number, payload in segments:
        try:
            outcomes.append("changed" if decoder.push(number, payload) else "same")
        except BitstreamError:
            outcomes.append("damaged")
    return outcomes


async def compare(page, path, stream, segments):
    decoder = codec_of(path).decoder(stream.header)
    outcomes = pushed(decoder, segments)
    found = await in_browser(page, f"harness.latentOf({arguments(path, stream.header, segments)})")
    assert found["outcomes"] == outcomes
    assert found["latent"] == latent_of(decoder)
    status, shown = decoder.status, found["status"]
    assert (shown["baseComplete"], shown["layer"]) == (status.base_complete, status.layer)
    assert (shown["decoded"], shown["waiting"]) == (status.decoded, status.waiting)
    assert (shown["grey"], shown["coarse"]) == (pytest.approx(status.grey), pytest.approx(status.coarse))
    return outcomes


@pytest.mark.parametrize(
    ("path", "shape", "settings"),
    [
        (TRAINED, (150, 200), {"context": "hybrid"}),
        (TRAINED, (70, 100), {"payload": 1000, "noise": 1}),
        (TRAINED, (64, 64), {"payload": 44}),
        (TRAINED, (1, 1), {}),
        (FROZEN, (64, 600), {"payload": 1000}),
        (FROZEN, (190, 66), {"payload": 120}),
    ],
)
async def test_latents_are_pythons_to_the_bit(page, path, shape, settings):
    stream = stream_of(path, *shape, **settings)
    outcomes = await compare(page, path, stream, segments_of(stream))
    assert "damaged" not in outcomes


async def test_the_order_and_copies_of_segments_do_not_matter(page):
    stream = stream_of(TRAINED, 70, 130, payload=90)
    segments = segments_of(stream) * 2
    random.Random(5).shuffle(segments)
    decoder = codec_of(TRAINED).decoder(stream.header)
    pushed(decoder, segments_of(stream))
    found = await in_browser(page, f"harness.latentOf({arguments(TRAINED, stream.header, segments)})")
    assert found["latent"] == latent_of(decoder)
    assert found["status"]["decoded"] == len(stream.segments)


def damaged(payload, rng):
    """A payload as a link or a peer may spoil it."""
    kind, changed = rng.randrange(5), bytearray(payload)
    if kind == 0:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del changed[rng.randrange(len(changed)) :]
    elif kind == 2:
        changed += rng.randbytes(rng.randrange(1, 9))
    elif kind == 3:
        changed[:4] = rng.randbytes(4)
    else:
        changed = bytearray(rng.randbytes(rng.randrange(200)))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_segments_are_refused_as_python_refuses_them(page, seed):
    rng = random.Random(seed)
    path, shape = (TRAINED, (70, 130)) if seed % 2 else (FROZEN, (64, 560))
    stream = stream_of(path, *shape, payload=60 if seed > 1 else 200)
    segments = []
    for number, payload in segments_of(stream)[:40]:
        some = [(number, damaged(payload, rng)) for _ in range(rng.randrange(3))]
        if rng.random() < 0.2:
            some.append((rng.randrange(-2, 70000), payload))
        if rng.random() < 0.9:
            some.append((number, payload))
        segments += some
    if seed > 1:
        rng.shuffle(segments)
    outcomes = await compare(page, path, stream, segments)
    assert outcomes.count("damaged") > 5
    assert "changed" in outcomes


async def test_pictures_are_pythons_but_for_their_last_bits(page):
    stream = stream_of(TRAINED, 150, 600)
    rng = random.Random(1)
    segments = [segment for segment in segments_of(stream) if rng.random() < 0.8]
    decoder = codec_of(TRAINED).decoder(stream.header)
    pushed(decoder, segments)
    found = await in_browser(page, f"harness.picturesOf({arguments(TRAINED, stream.header, segments)})")
    linear, final = (
        np.frombuffer(base64.b64decode(found[name]), np.uint8).reshape(150, 600, 4) for name in ("linear", "final")
    )
    assert (linear[..., 3] == 255).all()
    assert psnr(final[..., :3], decoder.picture()) > 55
    assert psnr(linear[..., :3], linear_picture(decoder)) > 55
    tile = decoder._tiles[0]
    assert found["levels"][: tile.columns] == (tile.stages + tile.levels[: tile.columns]).tolist()


def linear_picture(decoder):
    """Python's picture without its synthesis network."""

    class Nothing(torch.nn.Module):
        def forward(self, linear, states):
            return linear

    renderer = decoder._decoding._renderer
    usual = renderer._synthesis_of
    try:
        renderer._synthesis_of = lambda look: Nothing()
        return decoder._decoding.picture(
            decoder._layout, decoder._tiles, decoder._parameters, lambda: False, "a look of its own"
        )
    finally:
        renderer._synthesis_of = usual


async def test_of_a_part_of_the_tiles_the_rest_is_grey(page):
    stream = stream_of(TRAINED, 64, 600)
    segments = [s for s in segments_of(stream) if s[1][0] >> 6 == 3 and s[1][1] == 1]
    found = await in_browser(page, f"harness.picturesOf({arguments(TRAINED, stream.header, segments)})")
    picture = np.frombuffer(base64.b64decode(found["final"]), np.uint8).reshape(64, 600, 4)
    assert segments
    assert (picture[:, :512, :3] == 128).all()
    assert picture[:, 512:, :3].std() > 10


async def test_the_model_has_the_id_that_python_gives_it(page):
    backbone = codec_of(TRAINED).backbone
    call = f"(({{ id, synthesisId }}) => [id, synthesisId])(await harness.modelOf('{TRAINED}'))"
    assert await in_browser(page, call) == [backbone.id.hex(), backbone.synthesis_id.hex()]


async def test_a_stream_of_another_model_is_refused_with_both_ids(page):
    stream = stream_of(FROZEN, 64, 64)
    reason = await in_browser(page, f"harness.reasonOf(() => harness.pushed({arguments(TRAINED, stream.header, [])}))")
    assert codec_of(TRAINED).backbone.id.hex() in reason
    assert codec_of(FROZEN).backbone.id.hex() in reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h[:10], "damaged"),
        (lambda h: h + b"\0", "damaged"),
        (lambda h: h[:9] + bytes(4) + h[13:], "damaged"),
        (lambda h: h[:9] + b"\x20\0\x10\0" + h[13:], "8192x4096 pixels, a browser shows 16 megapixels at most"),
        (lambda h: b"\x09" + h[1:], "codec number 9"),
        (lambda h: h[:15] + b"\x05" + h[16:19] + b"\x40\x40", "damaged"),
    ],
)
async def test_a_header_beyond_the_limits_is_refused_in_words(page, change, words):
    header = text(change(stream_of(TRAINED, 64, 64).header.to_bytes()))
    reason = await in_browser(page, f"harness.reasonOf(() => harness.pushed('{TRAINED}', '{header}', []))")
    assert words in reason


async def test_weights_that_are_damaged_are_refused(page):
    call = f"""(async () => {{
        const [wasm, weights] = [await harness.fetched("/codec/decoder.wasm"), await harness.fetched("{TRAINED}")];
        const {{ openModel }} = await import("/codec/decoder.js"), reasons = [];
        for (const change of [(w) => w.subarray(0, 5000), (w) => (w[8 + 20960 + 1720000]++, w), (w) => w.subarray(9)])
            reasons.push(await harness.reasonOf(() => openModel(wasm, change(weights.slice()))));
        return reasons;
    }})()"""
    cut, flipped, shifted = await in_browser(page, call)
    assert "cut off" in cut
    assert "come out wrong" in flipped
    assert "cannot be used here" in shifted


async def test_a_trap_leaves_the_machine_usable(page):
    assert await in_browser(page, "harness.trapped()") == {"trapped": True, "after": True}


async def test_a_browser_without_memory_says_so(page):
    assert await in_browser(page, "harness.exhausted()") == "this browser has no more memory for the picture"


async def test_a_worker_answers_in_order(page):
    stream = stream_of(TRAINED, 70, 130)
    segments = [[n, text(p)] for n, p in segments_of(stream)]
    call = f"""(async () => {{
        const wasm = await harness.fetched("/codec/decoder.wasm"), weights = await harness.fetched("{TRAINED}");
        const header = harness.bytes("{text(stream.header.to_bytes())}");
        const segments = {json.dumps(segments)}.map(([id, payload]) => [id, harness.bytes(payload)]);
        return harness.answersOf([
            {{ type: "picture", stream: "early", network: false }},
            {{ type: "open", wasm, weights }},
            {{ type: "begin", stream: 1, header }},
            {{ type: "begin", stream: 2, header: header.subarray(1) }},
            {{ type: "push", stream: 1, segments: segments.slice(0, 3) }},
            {{ type: "picture", stream: 1, network: false }},
            {{ type: "push", stream: 1, segments: [[9, new Uint8Array(3).fill(255)], ...segments] }},
            {{ type: "picture", stream: 1, network: true }},
            {{ type: "close", stream: 1 }},
            {{ type: "push", stream: 1, segments }},
        ], 9);
    }})()"""
    early, opened, begun, refused, pushed_some, linear, pushed_all, final, over = await in_browser(page, call)
    assert [early["type"], refused["type"], over["type"]] == ["refused"] * 3
    assert refused["stream"] == 2
    assert opened["id"] == stream.header.model_id.hex()
    assert begun["header"]["width"] == 130
    assert pushed_some["changed"]
    assert pushed_some["damaged"] == []
    assert [damage[0] for damage in pushed_all["damaged"]] == [9]
    assert pushed_all["status"]["decoded"] == len(stream.segments)
    assert (linear["network"], final["network"]) == (False, True)
    decoder = codec_of(TRAINED).decoder(stream.header)
    pushed(decoder, segments_of(stream))
    picture = np.frombuffer(base64.b64decode(final["rgba"]), np.uint8).reshape(70, 130, 4)
    assert psnr(picture[..., :3], decoder.picture()) > 55
