"""What every codec promises to the rest of the system, as tests for pytest.

A test file of one's own runs all of them over a codec, which a fixture names:

    import pytest
    from progressive.registry import load_codec
    from progressive.testing.codec_contract import *

    @pytest.fixture(scope="module")
    def codec():
        return load_codec("mypackage.mymodule:MyCodec")
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from progressive.codec import FAITHFUL, Photo, ProgressiveCodec, ProgressiveDecoder
from progressive.contexts import context_for
from progressive.errors import BitstreamError, UsageError
from progressive.looks import picture_in, prepared_look
from progressive.metrics import psnr
from progressive.models import codec_of
from progressive.photos import downscale, sample_photo
from progressive.runtime.stopping import StoppedError
from progressive.segments.waiting import Waiting
from progressive.stream import FOREIGN, LayeredStream, Segment, StreamHeader

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return downscale(sample_photo("chelsea"), max_pixels=14_000)


@pytest.fixture(scope="module")
def stream(codec: ProgressiveCodec, photo: Photo) -> LayeredStream:
    return codec.encode(photo, max_payload=300)


def decoded(codec: ProgressiveCodec, header: StreamHeader, segments: list[Segment]) -> Photo:
    decoder = codec.decoder(header)
    for segment in segments:
        decoder.push(segment.id, segment.payload)
    return decoder.picture()


def closed_subset(stream: LayeredStream, rng: random.Random) -> list[Segment]:
    """Each segment is drawn with some probability, then kept only if all that it depends on is."""
    probability, kept, subset = rng.random(), set[int](), list[Segment]()
    for segment in stream.segments:
        if rng.random() < probability and kept.issuperset(segment.depends_on):
            kept.add(segment.id)
            subset.append(segment)
    return subset


def test_the_header_names_the_codec_and_survives_its_bytes(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    assert stream.header.model_id == codec.model_id
    assert len(codec.model_id) == 8
    assert codec.name
    if stream.header.codec != FOREIGN:
        assert codec_of(stream.header).name == codec.name
    assert StreamHeader.from_bytes(stream.header.to_bytes()) == stream.header
    assert len(stream.header.to_bytes()) <= 200


def test_segments_are_numbered_and_come_after_what_they_depend_on(stream: LayeredStream) -> None:
    seen: set[int] = set()
    for segment in stream.segments:
        assert seen.issuperset(segment.depends_on)
        assert segment.id not in seen
        assert 1 <= segment.id <= 0xFFFF
        seen.add(segment.id)
    assert stream.header.segment_count == len(stream.segments)
    assert stream.segments[0].layer == 0


def test_the_base_comes_first_and_completes(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    layers = [s.layer for s in stream.segments]
    base = layers.count(0)
    assert set(layers[:base]) == {0}
    decoder = codec.decoder(stream.header)
    for segment in stream.segments[:base]:
        assert not decoder.status.base_complete
        decoder.push(segment.id, segment.payload)
    assert decoder.status.base_complete


def test_what_is_missing_of_the_picture_shrinks_until_the_base_is_complete(codec: ProgressiveCodec) -> None:
    stream = codec.encode(sample_photo("chelsea")[:130, :700])
    decoder = codec.decoder(stream.header)
    assert (decoder.status.grey, decoder.status.coarse) == (1, 0)
    before = decoder.status
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
        status = decoder.status
        assert 0 <= status.grey <= before.grey
        assert status.coarse >= 0
        assert 0 <= status.grey + status.coarse <= before.grey + before.coarse + 1e-9
        assert status.base_complete == (status.grey == 0 and status.coarse == 0)
        before = status


@pytest.mark.parametrize("seed", range(12))
def test_any_closed_subset_in_any_order_gives_one_picture(
    codec: ProgressiveCodec, stream: LayeredStream, photo: Photo, seed: int
) -> None:
    rng = random.Random(seed)
    subset = closed_subset(stream, rng)
    expected = decoded(codec, stream.header, subset)
    assert expected.shape == photo.shape
    assert expected.dtype == np.uint8
    shuffled = subset + rng.sample(subset, len(subset) // 2)
    rng.shuffle(shuffled)
    assert np.array_equal(decoded(codec, stream.header, shuffled), expected)


def test_a_segment_waits_for_what_it_depends_on(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    last, rest = stream.segments[-1], list(stream.segments[:-1])
    assert last.depends_on
    decoder = codec.decoder(stream.header)
    before = decoder.picture()
    assert not decoder.push(last.id, last.payload)
    assert decoder.status.waiting == 1
    assert np.array_equal(decoder.picture(), before)
    for segment in rest:
        decoder.push(segment.id, segment.payload)
    assert decoder.status.waiting == 0
    assert np.array_equal(decoder.picture(), decoded(codec, stream.header, [*rest, last]))


def test_a_segment_that_waited_and_proves_damaged_does_not_keep_its_good_copy_out(
    codec: ProgressiveCodec, stream: LayeredStream
) -> None:
    decoder: Any = codec.decoder(stream.header)
    waited = next(segment for segment in stream.segments if segment.depends_on)
    decoder.push(waited.id, waited.payload + b"more")
    for segment in stream.segments:
        if segment is not waited:
            decoder.push(segment.id, segment.payload)
    decoder.push(waited.id, waited.payload)
    assert decoder.status.waiting == 0
    assert decoder.shown == {segment.id for segment in stream.segments}
    assert np.array_equal(decoder.picture(), decoded(codec, stream.header, list(stream.segments)))


def test_pictures_between_segments_do_not_disturb_the_decoder(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    decoder: Any = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
        assert len(decoder.shown) == decoder.status.decoded
        decoder.picture()
    assert np.array_equal(decoder.picture(), decoded(codec, stream.header, list(stream.segments)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 9), (16, 16), (17, 33), (65, 130), (129, 64)])
@pytest.mark.parametrize("grey", [False, True])
def test_any_size_works(codec: ProgressiveCodec, shape: tuple[int, int], grey: bool) -> None:
    rng = np.random.default_rng(sum(shape))
    photo = rng.integers(0, 256, (*shape, 1 if grey else 3), np.uint8)
    photo = np.repeat(photo, 3, axis=2) if grey else photo
    stream = codec.encode(photo)
    picture = decoded(codec, stream.header, list(stream.segments))
    assert picture.shape == photo.shape
    flat = np.full_like(photo, 200)
    stream = codec.encode(flat)
    assert np.abs(decoded(codec, stream.header, list(stream.segments)).astype(int) - 200).max() <= 8


@pytest.mark.parametrize("max_payload", [None, 257, 500, 1000, 1400])
def test_segments_fit_the_payload_they_were_asked_to_fit(codec: ProgressiveCodec, max_payload: int | None) -> None:
    """`None` stands for the smallest that the codec says it can fit."""
    max_payload = max_payload or codec.traits.smallest_payload
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 170, 3), np.uint8)
    extremes = np.kron(rng.integers(0, 2, (25, 22, 3)) * 255, np.ones((8, 8, 1))).astype(np.uint8)
    for photo in (noise, extremes, downscale(sample_photo(), max_pixels=40_000)):
        stream = codec.encode(photo, max_payload=max_payload)
        assert max(len(s.payload) for s in stream.segments) <= max_payload


@contextmanager
def as_set(setter: Callable[[Any], object], value: object, before: object) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(before)


MKLDNN: Any = torch.backends.mkldnn

STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast": lambda: torch.autocast("cpu"),
    "autocast to float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "float64": lambda: as_set(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda: as_set(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "meta": lambda: as_set(torch.set_default_device, "meta", None),
    "meta in a block": lambda: torch.device("meta"),
    "medium precision": lambda: as_set(torch.set_float32_matmul_precision, "medium", "highest"),
    "precision of convolutions": lambda: as_set(
        lambda value: setattr(MKLDNN.conv, "fp32_precision", value), "bf16", "none"
    ),
    "no oneDNN": lambda: as_set(lambda value: setattr(torch.backends.mkldnn, "enabled", value), False, True),
    "deterministic": lambda: as_set(torch.use_deterministic_algorithms, True, False),
    "flushed denormals": lambda: as_set(torch.set_flush_denormal, True, False),
    "inference": torch.inference_mode,
    "gradients": torch.enable_grad,
    "numpy raises": lambda: np.errstate(all="raise"),
}


@pytest.mark.parametrize("state", STATES)
def test_whatever_the_caller_has_set_bytes_and_picture_are_the_same_and_it_stays_set(
    codec: ProgressiveCodec, photo: Photo, stream: LayeredStream, state: str
) -> None:
    def what_is_set() -> list[object]:
        precisions = [MKLDNN.matmul.fp32_precision, MKLDNN.conv.fp32_precision]
        modes = [torch.is_autocast_enabled("cpu"), torch.are_deterministic_algorithms_enabled(), np.geterr()]
        devices = [torch.get_default_dtype(), torch.get_default_device(), torch.backends.mkldnn.enabled]
        return [*precisions, *modes, *devices]

    few = stream.segments[:8]
    expected = decoded(codec, stream.header, list(few))
    with STATES[state]():
        inside = what_is_set()
        fresh: ProgressiveCodec = type(codec)()
        coded = fresh.encode(photo, max_payload=300)
        picture = decoded(fresh, stream.header, list(few))
        assert what_is_set() == inside
    assert coded == stream
    assert np.array_equal(picture, expected)


def test_a_codec_can_be_pickled(codec: ProgressiveCodec, photo: Photo, stream: LayeredStream) -> None:
    again = pickle.loads(pickle.dumps(codec))
    assert again.encode(photo, max_payload=300) == stream
    assert np.array_equal(decoded(again, stream.header, [stream.segments[0]]).shape, photo.shape)


def test_too_small_a_payload_is_refused(codec: ProgressiveCodec, photo: Photo) -> None:
    smallest = codec.traits.smallest_payload
    with pytest.raises(UsageError, match=f"{codec.name} needs {smallest} bytes .* larger packets"):
        codec.encode(photo, max_payload=smallest - 1)


def test_contexts_are_those_it_says_and_change_the_order_alone(codec: ProgressiveCodec, photo: Photo) -> None:
    usual = codec.encode(photo)
    for context in codec.traits.contexts:
        stream = codec.encode(photo, context=context)
        assert (
            np.abs(
                decoded(codec, stream.header, list(stream.segments)).astype(int)
                - decoded(codec, usual.header, list(usual.segments))
            ).max()
            <= 1
        )
        assert context_for(codec, None, default=context) == context
    for unknown in ("paint", "" if codec.traits.contexts else "hybrid"):
        with pytest.raises(UsageError, match="context"):
            codec.encode(photo, context=unknown)


def test_looks_are_those_it_says_and_depend_on_what_came_alone(codec: ProgressiveCodec, photo: Photo) -> None:
    assert codec.traits.looks[0] == FAITHFUL
    segments = codec.encode(photo).segments[:6]
    header = codec.encode(photo).header
    for look in codec.traits.looks:
        assert prepared_look(codec, look) == look
        pictures = []
        for order in (segments, segments[::-1]):
            decoder = codec.decoder(header)
            decoder.push_all((s.id, s.payload) for s in order)
            decoder.picture()
            pictures.append(picture_in(decoder, look))
        assert pictures[0].shape == photo.shape
        assert np.array_equal(pictures[0], pictures[1])
        assert np.abs(pictures[0].astype(int) - decoder.picture()).mean() < 24  # another look, not another picture


def test_importance_is_of_every_pixel_or_there_is_none(codec: ProgressiveCodec, photo: Photo) -> None:
    for context in (None, *codec.traits.contexts):
        worth = codec.importance(photo, context)
        if worth is not None:
            assert worth.shape == photo.shape[:2]
            assert np.isfinite(worth).all()
            assert np.ptp(worth) > 0
        levels = codec.sent_importance(codec.encode(photo, context=context).header)
        assert levels is None or (levels.ndim == 2 and levels.size > 0)


def test_the_same_photo_in_another_form_gives_the_same_stream(codec: ProgressiveCodec, photo: Photo) -> None:
    small = photo[:40, :50]
    expected = codec.encode(small)
    forms: tuple[Any, ...] = (
        (small / 255).astype(np.float32),
        small.astype(np.uint16) * 257,
        torch.tensor(small).permute(2, 0, 1),
    )
    for form in forms:
        assert codec.encode(form) == expected
    grey = small[..., 0]
    assert codec.encode(grey) == codec.encode(np.repeat(grey[..., None], 3, 2))
    with pytest.raises(UsageError, match="use uint8"):
        codec.encode(small.astype(np.int64))


def test_encoding_is_deterministic(codec: ProgressiveCodec, photo: Photo, stream: LayeredStream) -> None:
    assert codec.encode(photo, max_payload=300) == stream


def test_a_stream_decodes_alike_on_any_number_of_threads(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    """Another process, another thread count: the segments it accepts and the picture it shows are the same."""
    script = (
        "import pickle, sys, numpy as np\n"
        "from progressive.container import read_stream\n"
        "codec, file = pickle.load(sys.stdin.buffer)\n"
        "contents = read_stream(file)\n"
        "decoder = codec.decoder(contents.header)\n"
        "for segment in contents.segments: decoder.push(*segment)\n"
        "assert decoder.status.decoded == len(contents.segments)\n"
        "sys.stdout.buffer.write(decoder.picture().tobytes())\n"
    )
    from progressive.container import stream_to_bytes

    threads = "1" if torch.get_num_threads() > 1 else "2"
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    sent = pickle.dumps((codec, stream_to_bytes(stream)))
    output = subprocess.run(
        [sys.executable, "-c", script], input=sent, capture_output=True, check=True, env=environment
    ).stdout
    here = decoded(codec, stream.header, list(stream.segments))
    there = np.frombuffer(output, np.uint8).reshape(here.shape)
    assert np.abs(here.astype(int) - there).max() <= 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_payloads_raise_the_bitstream_error_or_show_a_picture(
    codec: ProgressiveCodec, stream: LayeredStream, data: st.DataObject
) -> None:
    decoder = codec.decoder(stream.header)
    intact = data.draw(st.integers(0, len(stream.segments) - 1))
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments[:intact])
    payload = bytearray(stream.segments[intact].payload)
    kind = data.draw(st.sampled_from(("flip", "cut", "extend", "random")))
    if kind == "flip":
        for position in data.draw(st.lists(st.integers(0, 8 * len(payload) - 1), min_size=1, max_size=4)):
            payload[position // 8] ^= 1 << position % 8
    elif kind == "cut":
        del payload[data.draw(st.integers(0, len(payload) - 1)) :]
    elif kind == "extend":
        payload += data.draw(st.binary(min_size=1, max_size=50))
    else:
        payload = bytearray(data.draw(st.binary(max_size=300)))
    check_damaged(decoder, stream.segments[intact].id, bytes(payload))


def check_damaged(decoder: ProgressiveDecoder, segment_id: int, payload: bytes) -> None:
    before, status = decoder.picture(), decoder.status
    try:
        decoder.push(segment_id, payload)
    except BitstreamError:
        assert decoder.status == status
        assert np.array_equal(decoder.picture(), before)
    assert decoder.picture().shape == before.shape


def test_work_follows_what_was_received_not_the_size_that_is_claimed(
    codec: ProgressiveCodec, stream: LayeredStream
) -> None:
    flat = codec.encode(np.full((512, 576, 3), 90, np.uint8))
    decoder = codec.decoder(replace(flat.header, width=4000, height=4000))
    decoder.push(flat.segments[0].id, flat.segments[0].payload)
    pieces = 0

    def count() -> bool:
        nonlocal pieces
        pieces += 1
        return False

    picture = decoder.picture(stop=count)
    assert pieces == 1
    assert np.abs(picture[:448, :448].astype(int) - 90).max() < 10
    assert (picture[640:] == 128).all()
    assert (picture[:, 640:] == 128).all()


def test_a_picture_that_nobody_wants_any_more_is_given_up_and_can_be_had_later(
    codec: ProgressiveCodec, stream: LayeredStream
) -> None:
    decoder = codec.decoder(stream.header)
    for segment in stream.segments[:3]:
        decoder.push(segment.id, segment.payload)
    with pytest.raises(StoppedError):
        decoder.picture(stop=lambda: True)
    assert np.array_equal(decoder.picture(), decoded(codec, stream.header, list(stream.segments[:3])))


def test_many_that_wait_are_not_all_tried_again_with_every_segment(
    codec: ProgressiveCodec, stream: LayeredStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder: Any = codec.decoder(replace(stream.header, segment_count=0xFFFF))
    forged = stream.segments[-1].payload
    for number in range(500):
        assert not decoder.push(1000 + number, forged[:-2] + number.to_bytes(2, "big"))
    tries, put = 0, Waiting.put

    def count(*arguments: Any) -> None:
        nonlocal tries
        tries += 1
        put(*arguments)

    monkeypatch.setattr(Waiting, "put", count)
    first = [segment for segment in stream.segments if segment.id != stream.segments[-1].id][:25]
    for segment in first:
        decoder.push(segment.id, segment.payload)
    assert tries < 4 * 500


@given(parameters=st.binary(max_size=20), count=st.integers(0, 0xFFFF))
@settings(max_examples=60, deadline=None)
def test_damaged_headers_raise_the_bitstream_error(
    codec: ProgressiveCodec, stream: LayeredStream, parameters: bytes, count: int
) -> None:
    header = replace(stream.header, segment_count=count, parameters=parameters)
    try:
        picture = codec.decoder(header).picture()
    except BitstreamError:
        return
    assert picture.shape == (header.height, header.width, 3)


def test_a_stream_of_another_model_is_refused_with_both_ids(codec: ProgressiveCodec, stream: LayeredStream) -> None:
    header = stream.header
    other = StreamHeader(
        header.codec, b"otherone", header.width, header.height, header.segment_count, header.parameters
    )
    with pytest.raises(BitstreamError, match=rf"{b'otherone'.hex()}.*{header.model_id.hex()}"):
        codec.decoder(other)


def test_quality_rises_with_every_segment_on_average(codec: ProgressiveCodec) -> None:
    gains = []
    for name in PHOTOS:
        photo = downscale(sample_photo(name), max_pixels=20_000)
        stream = codec.encode(photo, max_payload=400)
        decoder = codec.decoder(stream.header)
        quality = [psnr(decoder.picture(), photo)]
        for segment in stream.segments:
            decoder.push(segment.id, segment.payload)
            quality.append(psnr(decoder.picture(), photo))
        gains.append(np.diff(quality))
    shortest = min(map(len, gains))
    assert np.mean([g[:shortest] for g in gains], axis=0).min() > -0.01
    assert np.mean([g.sum() for g in gains]) > 10
