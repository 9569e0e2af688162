"""What is said of a photo: there and back, capped, and nothing else taken."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.about import MAX_ABOUT, MAX_NAME, MAX_NAME_BYTES, About
from progressive.wire.manifest import Manifest, parse_manifest

CLIFF = About(name="cliff.jpg", taken="2030-01-31T18:00:00+01:00", latitude=47.26, longitude=-11.39, altitude_m=612.5)
names = st.text(max_size=MAX_NAME).filter(lambda name: name.isprintable() and len(name.encode()) <= MAX_NAME_BYTES)


def test_it_is_said_in_words() -> None:
    assert CLIFF.in_words() == (
        "cliff.jpg, taken 2030-01-31 18:00:00+01:00, at 47.260000 N 11.390000 W, 612 m above the sea"
    )
    assert About().in_words() == ""
    assert About().is_empty


@given(names, st.floats(-90, 90), st.integers(1, MAX_ABOUT))
def test_it_comes_back_as_it_was_or_shorter(name: str, latitude: float, limit: int) -> None:
    about = About(name=name, taken=CLIFF.taken, latitude=latitude, longitude=1.5)
    assert About.from_bytes(about.to_bytes()) == about
    fitted = about.fitted(limit)
    assert len(fitted.to_bytes()) <= limit
    assert name.startswith(fitted.name)
    assert parse_manifest(Manifest(about=fitted).to_bytes()).about == fitted


def test_the_longest_fits_an_item() -> None:
    longest = About(name="é" * 60, taken=CLIFF.taken, latitude=1.1, longitude=1.1, altitude_m=1.1)
    assert longest.fitted() == longest
    assert About(name="x" * 100, latitude=1.1, longitude=1.1).fitted(60).latitude == 1.1, "the name gives way first"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x" * 101},
        {"name": "日" * 41},
        {"name": "a\x1b[2Jb"},
        {"name": 3},
        {"taken": "yesterday"},
        {"taken": "2" * 33},
        {"latitude": 90.5},
        {"longitude": float("nan")},
        {"altitude_m": 1e9},
        ["name"],
        "name",
        {1: 2},
    ],
)
def test_nonsense_is_refused(fields: object) -> None:
    with pytest.raises(WireError):
        About.from_bytes(msgpack.packb(fields))


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(WireError):
        About.from_bytes(data)


def test_what_later_versions_say_besides_is_passed_over() -> None:
    assert About.from_bytes(msgpack.packb({"name": "cliff.jpg", "camera": "Leica"})) == About(name="cliff.jpg")
