import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.case import System
from experiments.drawing import Line, draw_lines, looks_of, new_figure, png_of, spread_out


@given(st.lists(st.floats(0, 1), max_size=30))
def test_names_keep_their_order_and_their_distance(places: list[float]) -> None:
    spread = spread_out(sorted(places), 0.05)
    assert len(spread) == len(places)
    assert np.all(np.diff(spread) >= 0.05 - 1e-9)


def test_names_that_have_room_stay_where_they_are() -> None:
    assert spread_out([0.1, 0.3, 0.9], 0.05) == [0.1, 0.3, 0.9]


def test_crowded_names_stay_about_their_middle() -> None:
    assert spread_out([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])


def test_systems_of_a_source_share_their_colour() -> None:
    systems = [System("a", "planned"), System("a", "equal"), System("b", "planned")]
    looks = looks_of(systems)
    assert looks[systems[0]][0] == looks[systems[1]][0] != looks[systems[2]][0]
    assert looks[systems[0]][1] == looks[systems[2]][1] != looks[systems[1]][1]


def test_each_system_looks_like_no_other_also_where_there_is_a_single_place() -> None:
    of_one, of_two = (
        [System(source, delivery) for source in sources for delivery in ("planned", "equal", "none", "retransmission")]
        for sources in (("a",), ("a", "b"))
    )
    assert len({colour for colour, *_ in looks_of(of_one).values()}) == len(of_one)
    assert len({(colour, marker) for colour, _, _, marker in looks_of(of_two).values()}) == len(of_two)
    assert len({(colour, style) for colour, style, *_ in looks_of(of_two).values()}) == len(of_two)


def test_an_axis_ends_at_the_highest_that_there_is() -> None:
    axes = new_figure().subplots()
    draw_lines(axes, [Line("a", [0.0], [0.997], [np.nan], [np.nan])], highest=1.0)
    assert axes.get_ylim()[0] < 0.997
    assert axes.get_ylim()[1] == 1.0


def test_a_plot_is_small_and_always_the_same() -> None:
    def drawn() -> bytes:
        figure = new_figure()
        draw_lines(
            figure.subplots(), [Line("a", [0, 1], [1, 2], [0, 1], [2, 3]), Line("b", [0, 1], [1, 2], [1, 2], [1, 2])]
        )
        return png_of(figure)

    assert drawn() == drawn()
    assert len(drawn()) < 60_000
