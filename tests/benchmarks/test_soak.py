import time

import pytest

from benchmarks._processes import Child, Told
from benchmarks.soak import Soak, Watched, _outcome, in_words, soak

MEGABYTE = 1_000_000


class Gone:
    """A process that is over."""

    pid = 0


def watched(began_s: float, *told: tuple[str, float], memory: list[tuple[float, int]] | None = None) -> Watched:
    child = Child(Gone(), [Told(kind, time_s, "why") for kind, time_s in told])  # type: ignore[arg-type]
    return Watched(child, began_s, memory or [(0.0, MEGABYTE), (100.0, MEGABYTE)])


def test_only_photos_count_during_which_a_receiver_listened() -> None:
    sender = watched(0, *(("photo", float(time_s)) for time_s in range(10, 61, 10)))
    first = watched(0, ("listening", 5.0), ("base", 12.0), ("base", 30.5), ("gone", 35.0))
    second = watched(36, ("listening", 39.0), ("picture", 41.0), ("failed", 55.0), ("gone", 55.0))
    outcome = _outcome(Soak(60.0), sender, [first, second], 1, [(0.0, 5 * MEGABYTE), (70.0, 5 * MEGABYTE)])
    # 10-20 shown; 20-30 shown half a second late; 30-40 and 50-60 interrupted; 40-50 without its base
    assert (outcome.photos, outcome.counted, outcome.shown) == (5, 3, 2)
    assert (outcome.restarts, list(outcome.ended), list(outcome.recoveries_s)) == (1, ["why"], [5.0])
    assert "base shown of 2: 66.67 %" in in_words(outcome)


def test_memory_grows_from_after_the_warm_up_to_its_most() -> None:
    memory = [(0.0, 0), (1.0, 9 * MEGABYTE), (95.0, 20 * MEGABYTE), (98.0, 27 * MEGABYTE), (99.0, 21 * MEGABYTE)]
    receiver = watched(0, ("listening", 1.0), ("gone", 100.0), memory=memory)
    outcome = _outcome(Soak(1000.0), watched(0), [receiver], 0, [(0.0, 1), (99.0, 2)])
    assert outcome.growth_bytes == {"sender": 0, "receivers": 7 * MEGABYTE, "proxy": 0}


@pytest.mark.timeout(120)
def test_a_short_soak_with_a_restart() -> None:
    began_s = time.monotonic()
    outcome = soak(Soak(24.0, 3.0, 14.0, "loss:10%+delay:20ms", codec="dual_autoencoder", seed=1))
    assert time.monotonic() - began_s >= 15
    assert outcome.photos >= 2
    assert outcome.restarts >= 1
    assert outcome.shown == outcome.counted
