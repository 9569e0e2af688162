"""The frames of a sequence for receivers that join at any time, each as fast as it is."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from progressive.errors import UsageError
from sender import newest
from sender.newest import NewestFrame
from sender.offers import Offer
from sender.sequence_clock import SequenceClock
from sender.settings import SenderSettings

DEADLINE_S = 2.0


class Served:
    """A programme of frames that are there at once, each with so many seconds left when it is encoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lefts_s: float | Exception, stands: bool = True) -> None:
        monkeypatch.setattr(newest, "base_seconds", lambda *_: 0.0)
        self.now_s = 0.0
        self.encoded = 0
        self._lefts_s = iter(lefts_s)
        self.clock = SequenceClock(lambda: self.now_s, stands=stands)
        sequence: Any = SimpleNamespace(next=self._next, sent=lambda *_: None, close=lambda: None)
        self.programme = NewestFrame(sequence, self.clock, SenderSettings(1e5, deadline_s=DEADLINE_S))

    def _next(self) -> Any:
        left_s = next(self._lefts_s, None)
        if isinstance(left_s, Exception):
            raise left_s
        if left_s is None:
            return None
        self.encoded += 1
        return SimpleNamespace(
            prepared=SimpleNamespace(name=str(self.encoded), stream=None, packed=None), deadline_s=left_s
        )


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    return lambda *lefts_s, **keywords: Served(monkeypatch, *lefts_s, **keywords)


async def frame(offers: AsyncGenerator[Offer]) -> int | None:
    """The number of the next frame; None after the last."""
    offer = await asyncio.wait_for(anext(offers, None), 5)
    return None if offer is None else int(offer.prepared.name)


async def test_frames_come_in_order_and_one_is_encoded_when_somebody_waits_for_it(
    served: Callable[..., Served],
) -> None:
    run = served(2.0, 2.0, 2.0)
    first = await run.programme.first()
    assert first is not None
    assert first.name == "1"
    offers = run.programme.offers()
    assert await frame(offers) == 1
    assert run.encoded == 1
    assert [await frame(offers) for _ in range(3)] == [2, 3, None]
    run.programme.close()


async def test_who_is_slow_passes_frames_over_and_gets_the_newest_as_does_who_comes_late(
    served: Callable[..., Served],
) -> None:
    run = served(*[2.0] * 5)
    await run.programme.first()
    fast, slow = run.programme.offers(), run.programme.offers()
    assert [await frame(slow), *[await frame(fast) for _ in range(4)]] == [1, 1, 2, 3, 4]
    assert await frame(slow) == 4
    assert await frame(run.programme.offers()) == 4
    assert (await frame(fast), await frame(slow)) == (5, 5)
    run.programme.close()


async def test_a_frame_has_what_is_left_of_its_deadline_and_none_that_is_late_is_begun(
    served: Callable[..., Served],
) -> None:
    run = served(1.5, 2.0, 2.0)
    await run.programme.first()
    fast, slow = run.programme.offers(), run.programme.offers()
    first = await anext(fast)
    run.now_s += 0.5
    assert (first.deadline_s, (await anext(slow)).deadline_s) == (1.5, 1.0)
    assert await frame(fast) == 2
    run.now_s += 1.9
    assert await frame(slow) == 3
    run.programme.close()


async def test_who_comes_when_all_is_over_gets_the_last_frame_with_a_whole_deadline(
    served: Callable[..., Served],
) -> None:
    run = served(2.0, 2.0)
    await run.programme.first()
    assert [await frame(offers := run.programme.offers()), await frame(offers), await frame(offers)] == [1, 2, None]
    run.now_s += 100
    late = run.programme.offers()
    offer = await anext(late)
    assert (offer.prepared.name, offer.deadline_s) == ("2", None)
    assert await frame(late) is None
    run.programme.close()


async def test_who_comes_while_the_next_frame_is_far_off_waits_a_moment_and_gets_the_one_there_is(
    served: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "WAIT_S", 0.01)
    run = served(2.0)
    await run.programme.first()
    assert await frame(run.programme.offers()) == 1
    never = asyncio.Event()
    monkeypatch.setattr(run.programme._wanted, "wait", never.wait)  # the source waits for its next frame
    run.now_s += 100
    assert (await anext(run.programme.offers())).deadline_s is None
    run.programme.close()


async def test_time_stands_until_somebody_is_there(served: Callable[..., Served]) -> None:
    run = served(2.0)
    await run.programme.first()
    run.now_s += 100
    assert (await anext(run.programme.offers())).deadline_s == 2.0
    assert run.clock() == 0.0
    run.programme.close()
    camera = served(2.0, stands=False)
    camera.now_s += 3
    assert camera.clock() == 3.0


async def test_a_source_that_fails_says_why_and_nobody_waits_for_more(served: Callable[..., Served]) -> None:
    run = served(2.0, UsageError("camera unplugged"))
    await run.programme.first()
    offers = run.programme.offers()
    assert [await frame(offers), await frame(offers)] == [1, None]
    with pytest.raises(UsageError, match="camera unplugged"):
        await run.programme.wait_failed()
    with pytest.raises(UsageError, match="too large"):
        await served(UsageError("too large")).programme.first()
