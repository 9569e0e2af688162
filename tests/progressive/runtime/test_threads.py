"""How many threads torch is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from progressive.photos import sample_photo
from progressive.registry import load_codec
from progressive.runtime import threads
from progressive.runtime.threads import MOST_THREADS, idle_cores, idle_threads, one_thread

CORES = 8


@pytest.fixture(autouse=True)
def set_to_all_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    yield
    torch.set_num_threads(before)


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, running: int, own: str) -> None:
    """A system in which so many threads run; the states of this process's own are given, a letter each."""
    (folder / "loadavg").write_text(f"0.50 0.40 0.30 {running}/900 4242\n")
    for number, state in enumerate(own):
        (folder / f"task/{number}").mkdir(parents=True)
        (folder / f"task/{number}/stat").write_text(f"{number} (a name) R) {state} 1 2 3")
    monkeypatch.setattr(threads, "LOAD", folder / "loadavg")
    monkeypatch.setattr(threads, "OWN_THREADS", folder / "task")
    monkeypatch.setattr(threads, "QUOTA", folder / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: CORES)


@pytest.mark.parametrize(
    ("running", "own", "idle"),
    [(1, "R", 8), (4, "RSS", 5), (4, "RRSR", 7), (8, "R", 1), (30, "RR", 1), (0, "R", 8)],
)
def test_idle_cores_are_those_that_no_other_process_runs_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, running: int, own: str, idle: int
) -> None:
    load(monkeypatch, tmp_path, running, own)
    assert idle_cores() == idle


def test_a_thread_that_ends_meanwhile_does_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load(monkeypatch, tmp_path, 3, "R")
    (tmp_path / "task/7").mkdir()
    assert idle_cores() == CORES - 2


@pytest.mark.parametrize("text", [None, "", "0.1 0.1 0.1", "0.1 0.1 0.1 some/many 3"])
def test_half_of_the_cores_count_as_idle_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "loadavg").write_text(text)
    monkeypatch.setattr(threads, "LOAD", tmp_path / "loadavg" if text is not None else tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert idle_cores() == 3


@pytest.mark.parametrize(("quota", "idle"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("x", 8)])
def test_no_more_cores_are_idle_than_a_container_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, idle: int
) -> None:
    load(monkeypatch, tmp_path, 1, "R")
    (tmp_path / "cpu.max").write_text(quota)
    assert idle_cores() == idle


def test_work_on_cores_that_this_process_may_not_use_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load(monkeypatch, tmp_path, 7, "R")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert idle_cores() == 2


@pytest.mark.parametrize("inside", [one_thread, idle_threads])
def test_a_thread_that_begins_while_another_has_one_may_use_as_many_as_others(
    monkeypatch: pytest.MonkeyPatch, inside: Callable[[], AbstractContextManager[None]]
) -> None:
    monkeypatch.setattr(threads, "idle_cores", lambda: 1)

    def given() -> int:
        assert torch.get_num_threads() > 0  # torch is used for the first time
        with one_thread():
            assert torch.get_num_threads() == 1
        with idle_threads():
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as early, ThreadPoolExecutor(1) as late:
        with inside():
            early.submit(given).result()
        monkeypatch.setattr(threads, "idle_cores", lambda: 3)
        assert [early.submit(given).result(), late.submit(given).result()] == [3, 3]
    assert torch.get_num_threads() == CORES


@pytest.mark.parametrize(
    ("idle", "allowed", "given"), [(1, 8, 1), (3, 8, 3), (8, 8, MOST_THREADS), (8, 2, 2), (8, 1, 1)]
)
def test_a_computation_has_the_idle_cores_it_is_allowed_and_can_use(
    monkeypatch: pytest.MonkeyPatch, idle: int, allowed: int, given: int
) -> None:
    monkeypatch.setattr(threads, "idle_cores", lambda: idle)
    torch.set_num_threads(allowed)
    with idle_threads():
        assert torch.get_num_threads() == given
    assert torch.get_num_threads() == allowed


def test_one_computation_at_a_time_has_more_than_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "idle_cores", lambda: 4)

    def given() -> int:
        torch.set_num_threads(CORES)
        with idle_threads():
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as other:
        with idle_threads():
            assert other.submit(given).result() == 1
        assert other.submit(given).result() == 4
    with one_thread(), idle_threads():
        assert torch.get_num_threads() == 1
    with pytest.raises(ZeroDivisionError), idle_threads():
        1 / 0  # noqa: B018
    assert given() == 4


def test_a_photo_has_the_same_bytes_and_order_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, photo = load_codec("rmpgc"), sample_photo()[:200, :330]
    found = []
    for count in (1, 2, 4):
        monkeypatch.setattr(threads, "idle_cores", lambda count=count: count)
        torch.set_num_threads(2 * count)
        stream = codec.encode(photo)
        decoder = codec.decoder(stream.header)
        assert not decoder.push_all((s.id, s.payload) for s in stream.segments).damaged
        assert decoder.status.decoded == len(stream.segments)
        found.append([(s.payload, s.utility) for s in stream.segments])
    assert found[0] == found[1] == found[2]
