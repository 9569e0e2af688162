from progressive.segments.waiting import Waiting


def test_what_waits_is_found_by_what_it_waits_for_and_counted() -> None:
    waiting: Waiting[str] = Waiting()
    waiting.put("base", "a")
    waiting.put("base", "b", 3)
    waiting.put("plane", "c")
    assert waiting.count == 5
    assert waiting.take("base") == [("a", 1), ("b", 3)]
    assert waiting.count == 1
    assert waiting.take("base") == []
