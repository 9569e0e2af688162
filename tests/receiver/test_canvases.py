import numpy as np
import pytest

from progressive.wire.placement import CANVASES, Placement
from receiver import canvases as module
from receiver.canvases import Canvases

WHOLE = np.full((8, 10, 3), 7, np.uint8)
PART = np.full((2, 3, 3), 200, np.uint8)


def over(canvas: int) -> Placement:
    return Placement(canvas, width=10, height=8, left=4, top=1)


def test_a_part_is_shown_over_what_its_canvas_shows_now() -> None:
    canvases = Canvases()
    canvases.show(1, None, WHOLE)
    frame = canvases.show(2, over(1), PART)
    assert frame.shape == WHOLE.shape
    assert (frame[1:3, 4:7] == 200).all()
    assert (frame == 7).sum() == WHOLE.size - PART.size
    canvases.show(1, None, WHOLE + 1)
    assert canvases.show(2, over(1), PART)[0, 0, 0] == 8


def test_parts_build_on_parts() -> None:
    canvases = Canvases()
    canvases.show(1, None, WHOLE)
    canvases.show(2, over(1), PART)
    frame = canvases.show(3, Placement(2, width=10, height=8, left=0, top=0), PART + 1)
    assert (frame[0, 0, 0], frame[1, 5, 0], frame[7, 9, 0]) == (201, 200, 7)


def test_only_the_latest_are_kept() -> None:
    canvases = Canvases()
    for stream in range(CANVASES + 1):
        canvases.show(stream, None, WHOLE)
    assert canvases.show(99, over(0), PART)[0, 0, 0] == 128  # forgotten: mid-grey
    assert canvases.show(100, over(CANVASES), PART)[0, 0, 0] == 7


def test_a_large_frame_of_which_only_a_part_came_is_not_made() -> None:
    """Its size is a claim of a few bytes; the part alone is shown."""
    canvases = Canvases()
    claim = Placement(77, width=8000, height=8000, left=100, top=100)
    for stream in range(6):
        assert canvases.show(stream, claim, PART) is PART
    assert canvases._pixels() <= CANVASES * PART.size


def test_no_more_pixels_are_kept_than_one_photo_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 2 * 80)
    canvases = Canvases()
    for stream in range(3):
        canvases.show(stream, None, WHOLE)
    assert canvases.show(9, over(0), PART)[0, 0, 0] == 128
    assert canvases.show(10, over(2), PART)[0, 0, 0] == 7
