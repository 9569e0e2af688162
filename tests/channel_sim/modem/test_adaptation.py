import numpy as np

from channel_sim.modem.adaptation import STEP_DB, OuterLoop
from channel_sim.modem.mcs import MCS_NAMES, THRESHOLDS_DB

LOST, DELIVERED = np.array([True]), np.array([False])
FASTEST = np.array([7])


def at(time_s: float) -> np.ndarray:
    return np.array([time_s])


def test_the_fastest_scheme_that_the_report_bears_is_chosen() -> None:
    loop = OuterLoop(4, target=0.1)
    chosen = loop.choose(np.array([THRESHOLDS_DB[2], THRESHOLDS_DB[2] - 0.01, -np.inf, 99.0]))
    assert [MCS_NAMES[number] for number in chosen] == ["qpsk-1/2", "bpsk-3/4", "bpsk-1/2", "64qam-3/4"]


def test_a_loss_weighs_as_much_as_nine_deliveries_at_a_target_of_a_tenth() -> None:
    loop = OuterLoop(1, target=0.1)
    loop.sent(at(0), FASTEST, LOST)
    loop.learn(at(0))
    assert loop.margin_db == STEP_DB
    for _ in range(9):
        loop.sent(at(0), FASTEST, DELIVERED)
    loop.learn(at(0))
    assert abs(loop.margin_db) < 1e-12


def test_nothing_is_known_before_its_report_comes() -> None:
    loop = OuterLoop(2, target=0.1)
    loop.sent(np.array([1.0, 5.0]), np.array([7, 7]), np.array([True, True]))
    loop.sent(np.array([2.0, 6.0]), np.array([7, 7]), np.array([True, True]))
    for now, margins in ((0.9, [0, 0]), (1.0, [1, 0]), (3.0, [2, 0]), (5.5, [2, 1]), (6.0, [2, 2]), (9.0, [2, 2])):
        loop.learn(np.array([now, now]))
        assert (loop.margin_db / STEP_DB).tolist() == margins


def test_a_loss_at_the_slowest_scheme_teaches_nothing() -> None:
    loop = OuterLoop(1, target=0.1)
    loop.sent(at(0), np.array([0]), LOST)
    loop.learn(at(1))
    assert loop.margin_db == 0


def test_the_margin_stays_within_reach() -> None:
    loop = OuterLoop(1, target=0.5)
    for outcome, bound in ((LOST, 15), (DELIVERED, -5)):
        for _ in range(100):
            loop.sent(at(0), FASTEST, outcome)
        loop.learn(at(1))
        assert loop.margin_db == bound
