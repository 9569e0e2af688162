from progressive.wire.protection import Slot
from sender.repair import MAX_COPIES, packets_to_repeat
from sender.sent_packets import Known

SOURCES = (4, 8)


def repeat(fates, *, copies=1, whole=(), doubt=False):
    known = Known({Slot(0, index): fate for index, fate in fates.items()}, frozenset(whole))
    slots = packets_to_repeat([0], SOURCES, known, dict.fromkeys(known.fates, copies), doubt=doubt)
    assert all(slot.block == 0 for slot in slots)
    return [slot.index for slot in slots]


def test_what_is_lost_is_repeated_in_order():
    assert repeat({0: True, 1: False, 2: True, 3: False}) == [1, 3]


def test_what_may_still_come_is_not():
    assert repeat({0: True, 1: None, 2: None, 3: True}) == []
    assert repeat({0: True, 1: None, 2: None, 3: True}, doubt=True) == [1, 2]


def test_parity_on_its_way_stands_in_for_a_source():
    assert repeat({0: True, 1: False, 2: True, 3: False, 4: None}) == [1]
    assert repeat({0: True, 1: False, 2: True, 3: False, 4: True, 5: None}) == []


def test_sources_that_were_not_sent_yet_come_anyway():
    assert repeat({0: False, 1: True}) == [0]
    assert repeat({0: False, 1: False, 4: True}) == [0]


def test_whole_blocks_need_nothing():
    assert repeat({0: False, 1: False, 2: True, 3: True}, whole=[0]) == []


def test_nothing_is_repeated_for_ever():
    assert repeat({0: True, 1: False, 2: True, 3: True}, copies=MAX_COPIES) == []
