from __future__ import annotations

import pytest

from progressive.segments.rate_search import MAX_TRIALS, Search

FINEST, OCTAVE, CLOSE = 255, 51.0, 0.985


def run(budget: int, halving: float, *, close: float, bend: float = 0.0) -> tuple[int, int, float]:
    """What was chosen of sizes that double every `halving`, more slowly or faster up; trials; the chosen size."""
    asked: list[int] = []

    def size_of(level: int) -> float:
        asked.append(level)
        return size(level)

    def size(level: int) -> float:
        return float(400 * 2 ** (level / halving * (1 + bend * level / FINEST)))

    found = Search(budget, 130, FINEST, OCTAVE, close).run(size_of)
    assert len(asked) == len(set(asked)) <= MAX_TRIALS
    return found, len(asked), size(found)


@pytest.mark.parametrize("budget", [500, 2_000, 5_000, 12_000])
@pytest.mark.parametrize("halving", [35, 48, 70])
@pytest.mark.parametrize("bend", [-0.3, 0.0, 0.3])
def test_the_finest_that_fits_is_found_in_a_few_trials(budget: int, halving: float, bend: float) -> None:
    level, trials, size = run(budget, halving, close=CLOSE, bend=bend)
    assert size <= budget
    step = size * 2 ** (1.5 / halving)
    assert step > budget or size > CLOSE * budget or level == FINEST
    assert trials <= 6


@pytest.mark.parametrize("budget", [500, 2_000, 5_000])
@pytest.mark.parametrize("halving", [35, 48, 70])
def test_what_is_to_be_as_close_as_can_be_is(budget: int, halving: float) -> None:
    level, _, size = run(budget, halving, close=1.0)
    assert size <= budget
    assert level == FINEST or size * 2 ** (1 / halving) > budget


def test_what_never_fits_is_the_coarsest_and_what_always_fits_the_finest() -> None:
    assert Search(10, 130, FINEST, OCTAVE).run(lambda level: 100.0 + level) == 0
    for finest in (FINEST, 140):
        assert Search(10**9, 130, finest, OCTAVE).run(lambda level: 100.0 + level) == finest
