import numpy as np
import pytest

from benchmarks._packets import deal, draw_losses, largest_within
from progressive.errors import UsageError


def test_losses_come_as_often_as_asked_and_repeat_with_their_seed() -> None:
    lost = draw_losses(100_000, 0.3, (1, 2))
    assert lost.mean() == pytest.approx(0.3, abs=0.01)
    assert (lost == draw_losses(100_000, 0.3, (1, 2))).all()
    assert (lost != draw_losses(100_000, 0.3, (1, 3))).any()


def test_kept_packets_are_never_lost_and_change_nothing_for_the_others() -> None:
    lost, all_alike = draw_losses(1000, 0.5, (0,), kept=20), draw_losses(1000, 0.5, (0,))
    assert not lost[:20].any()
    assert (lost[20:] == all_alike[20:]).all()


@pytest.mark.parametrize("row_length", [12, 20, 47, 300])
def test_neighbours_go_to_different_packets_and_no_packet_is_too_large(row_length: int) -> None:
    sizes = np.random.default_rng(0).integers(1, 200, 300).tolist()
    dealt = deal(sizes, row_length, 1000)
    column = np.arange(len(sizes)) % row_length
    assert (dealt[1:] != dealt[:-1])[column[1:] > 0].all()
    assert (dealt[row_length:] != dealt[:-row_length]).all()
    assert np.bincount(dealt, sizes).max() <= 1000


def test_a_piece_larger_than_a_packet_is_refused() -> None:
    with pytest.raises(UsageError, match="1001 bytes fits no packet of 1000"):
        deal([5, 1001], 2, 1000)


class FileOfSize:
    packets = 1

    def __init__(self, size: int) -> None:
        self.size = size


@pytest.mark.parametrize(("limit", "found"), [(99, None), (100, 100), (349, 300), (10_000, 500)])
def test_the_largest_file_that_fits_is_found(limit: int, found: int | None) -> None:
    file = largest_within(limit, lambda setting: FileOfSize(int(100 * setting)), range(1, 6))
    assert (file and file.size) == found
