import math

import numpy as np
from materials import chain, star

from experiments.material import tier_lengths
from progressive.wire.protection import Slot


def test_a_file_shows_its_longest_unbroken_beginning() -> None:
    there_s = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, math.inf, 3.0, 4.0], [math.inf, 2.0, 3.0, 4.0]])
    shown_s = chain(4).shown_s(there_s)
    assert shown_s.tolist() == [[1, 2, 3, 4], [1, math.inf, math.inf, math.inf], [math.inf] * 4]


def test_a_piece_shows_when_it_and_what_it_needs_are_there() -> None:
    there_s = np.array([[5.0, 2.0, math.inf], [math.inf, 2.0, 3.0]])
    shown_s = star(2).shown_s(there_s)
    assert shown_s.tolist() == [[5, 5, 5, math.inf], [math.inf] * 4]


def test_needs_are_followed_through_several_generations() -> None:
    material = star(2)
    material.pieces.needs[3] = 2  # the second leaf needs the first leaf
    assert material.shown_s(np.array([[1.0, 9.0, 2.0]])).tolist() == [[1, 1, 9, 9]]


def test_qualities_add_up_whatever_the_order() -> None:
    orders = np.array([[0, 1, 2, 3], [0, 3, 1, 2]])
    psnr, ms_ssim = star(2).qualities(orders)
    left = np.array([[100, 55, 50, 30, 10], [100, 55, 35, 30, 10]])
    np.testing.assert_allclose(psnr, 10 * np.log10(255**2 * 300 / left))
    np.testing.assert_allclose(ms_ssim, [[0, 0.5, 0.6, 0.75, 0.9], [0, 0.5, 0.65, 0.75, 0.9]])


def test_qualities_of_a_chain_are_those_of_its_real_pictures() -> None:
    psnr, ms_ssim = chain(3).qualities(np.arange(3)[None])
    np.testing.assert_allclose(psnr, [[0, 10, 20, 30]], atol=1e-9)
    np.testing.assert_allclose(ms_ssim, [[0, 1 / 3, 2 / 3, 1]])


def test_tiers_are_the_packetizers() -> None:
    assert tier_lengths(2, 70, 8) == [2, 8, 16, 32, 12]
    assert tier_lengths(40, 41, 16) == [32, 8, 1]
    assert tier_lengths(3, 3, 8) == [3]


def test_blocks_tell_the_planner_what_each_packet_is_worth_and_needs() -> None:
    base, tier = star(3).blocks()
    assert (base.layer, base.sizes, base.utilities, base.needs) == (0, (1000,), (50.0,), ((),))
    assert (tier.layer, tier.k, tier.needs) == (1, 3, ((Slot(0, 0),),) * 3)


def test_blocks_of_other_lengths_keep_what_packets_need() -> None:
    first, second = chain(5).blocks_of([3, 2])
    assert first.needs == ((), (Slot(0, 0),), (Slot(0, 1),))
    assert second.needs == ((Slot(0, 2),), (Slot(1, 0),))
