from __future__ import annotations

import pytest

from progressive.codecs.hierarchical_vae.search import CLOSE, MAX_TRIALS, Search


def run(budget: int, halving: float, *, bend: float = 0.0) -> tuple[int, int, float]:
    """What was chosen of sizes that double every `halving`, more slowly or faster up; trials; the chosen size."""
    asked: list[int] = []

    def size_of(gamma: int) -> float:
        asked.append(gamma)
        return size(gamma)

    def size(gamma: int) -> float:
        return float(400 * 2 ** (gamma / halving * (1 + bend * gamma / 255)))

    found = Search(budget, 130).run(size_of)
    assert len(asked) == len(set(asked)) <= MAX_TRIALS
    return found, len(asked), size(found)


@pytest.mark.parametrize("budget", [500, 2_000, 5_000, 12_000])
@pytest.mark.parametrize("halving", [35, 48, 70])
@pytest.mark.parametrize("bend", [-0.3, 0.0, 0.3])
def test_the_finest_that_fits_is_found_in_a_few_trials(budget: int, halving: float, bend: float) -> None:
    gamma, trials, size = run(budget, halving, bend=bend)
    assert size <= budget
    step = size * 2 ** (1.5 / halving)
    assert step > budget or size > CLOSE * budget or gamma == 255
    assert trials <= 6


def test_what_never_fits_is_the_coarsest_and_what_always_fits_the_finest() -> None:
    assert Search(10, 130).run(lambda gamma: 100.0 + gamma) == 0
    assert Search(10**9, 130).run(lambda gamma: 100.0 + gamma) == 255
