import pytest

from receiver.viewer.history import Cursor, History


def test_who_looks_again_is_told_only_what_is_new():
    history = History[int](100)
    history.append(1)
    cursor, items, replace = history.since(Cursor())
    assert (items, replace) == ([1], False)
    assert history.since(cursor)[1] == []
    history.append(2)
    assert history.since(cursor)[1:] == ([2], False)


def test_who_has_seen_the_latest_item_is_told_when_it_changes():
    history = History[int](100)
    history.amend(lambda latest: latest + 1)
    history.append(1)
    history.append(2)
    cursor = history.since(Cursor())[0]
    history.amend(lambda latest: 10 * latest)
    assert history.since(cursor)[1:] == ([1, 20], True)


@pytest.mark.parametrize("pause", [1, 7, 500])
def test_however_long_it_gets_and_however_seldom_someone_looks_they_have_what_is_kept(pause):
    history, cursor, known = History[int](40), Cursor(), []
    for number in range(1000):
        history.append(number)
        assert len(history) <= 40
        if number % pause == 0 or number == 999:
            cursor, items, replace = history.since(cursor)
            known = items if replace else known + items
    assert known == sorted(set(known))
    assert known[0] == 0
    assert known[-10:] == list(range(990, 1000))
