import numpy as np
import pytest

from channel_sim.modem.coding import CODES, HALF, Code

GENERATORS = (0o133, 0o171)
PARITIES = np.array([register.bit_count() % 2 for register in range(128)])
PUNCTURING = {"1/2": ((1,), (1,)), "2/3": ((1, 1), (1, 0)), "3/4": ((1, 1, 0), (1, 0, 1))}
"""Which bits of each generator are sent: IEEE Std 802.11-2016, figures 17-8 and 17-9."""


def followed_spectrum(pattern: tuple[tuple[int, ...], ...], longest: int) -> list[tuple[int, int, int]]:
    """Weights of the paths that leave state 0 and return, how many these are, and their information bits.

    Path counts and their information bits are [state, weight]; a register is the new bit and the six before it.
    """
    states, weights, period = np.arange(64), np.arange(longest + 1), len(pattern[0])
    total = np.zeros((2, longest + 1))
    for phase in range(period):
        counts, information = np.zeros((2, 64, longest + 1))
        counts[0, 0] = 1
        for step in range(400):
            reached = np.zeros((2, 64, longest + 1))
            for bit in (0, 1) if step else (1,):
                registers = bit << 6 | states
                added = sum(
                    row[(phase + step) % period] * PARITIES[registers & generator]
                    for row, generator in zip(pattern, GENERATORS, strict=True)
                )
                before = weights - added[:, None]
                for target, paths in zip(reached, (counts, information + bit * counts), strict=True):
                    moved = np.where(before >= 0, np.take_along_axis(paths, np.maximum(before, 0), axis=1), 0)
                    np.add.at(target, registers >> 1, moved)
            total += reached[:, 0]
            reached[:, 0] = 0
            counts, information = reached
        assert not counts.any(), "no path is left that could return"
    return [(int(weight), *map(int, total[:, weight])) for weight in np.flatnonzero(total[0])]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_distance_spectra_are_those_of_the_punctured_trellis(code: Code) -> None:
    assert followed_spectrum(PUNCTURING[code.name], code.spectrum[-1][0]) == list(code.spectrum)


def test_two_bits_in_five_wrong_are_corrected_and_ties_are_broken_by_a_coin() -> None:
    """A code of a single path of distance 5 errs if 3 or more of 5 bits are wrong; of distance 6, half of the ties."""
    p = 0.1
    three_of_five = 10 * p**3 * (1 - p) ** 2 + 5 * p**4 * (1 - p) + p**5
    assert Code("", 1, 2, ((5, 1, 1),)).event_rate(p) == pytest.approx(three_of_five)
    more_of_six = 15 * p**4 * (1 - p) ** 2 + 6 * p**5 * (1 - p) + p**6 + 20 / 2 * p**3 * (1 - p) ** 3
    assert Code("", 1, 2, ((6, 1, 1),)).event_rate(p) == pytest.approx(more_of_six)


def test_the_bound_never_exceeds_a_half() -> None:
    assert HALF.event_rate([0.0, 0.3, 0.5]).tolist() == [0.0, 0.5, 0.5]
    assert HALF.bit_error_rate([0.0, 0.3, 0.5]).tolist() == [0.0, 0.5, 0.5]
