from progressive.shell.display import Display
from sender.audience import FORGET_S
from sender.display import SendingView
from sender.events import RateFollowed, ReportReceived, SenderEvent, StreamFinished


def report(receiver: int, segments: int, loss: float) -> ReportReceived:
    return ReportReceived(loss=loss, burst=2.0, segments=segments, layers=1, receiver=receiver)


def closing_words(*events: SenderEvent) -> str:
    view = SendingView(Display(), "photo", elapsed_s=lambda: 0.0)
    show = view.follow("receivers", 46)
    for event in events:
        show(event)
    return view.closing_words()


def test_segments_and_loss_are_those_of_the_same_receiver() -> None:
    words = closing_words(report(1, 46, 0.3), report(2, 44, 0.12), report(3, 45, 0.0))
    assert "reported by the worst of 3 receivers 44 of 46 planned segments, loss 12% in bursts of 2.0" in words


def test_of_receivers_with_as_many_segments_the_worst_loses_most() -> None:
    words = closing_words(report(1, 46, 0.0), report(2, 46, 0.3))
    assert "reported by the worst of 2 receivers 46 of 46 planned segments, loss 30%" in words


def test_a_single_receiver_is_not_compared() -> None:
    assert "reported 44 of 46 planned segments, loss 0%" in closing_words(report(1, 44, 0.0))


def test_a_receiver_that_was_not_heard_of_for_a_minute_has_gone() -> None:
    now = 0.0
    view = SendingView(Display(), "photo", elapsed_s=lambda: now)
    show = view.follow("receivers", 46)
    show(report(1, 3, 0.5))
    show(report(2, 40, 0.0))
    now = FORGET_S
    show(report(2, 41, 0.0))
    assert "worst of 2 receivers 3 of 46" in view.closing_words()
    now = FORGET_S + 1
    show(report(2, 42, 0.0))
    assert "reported 42 of 46" in view.closing_words()


def test_in_the_end_the_rate_of_the_link_is_told_rather_than_that_of_the_last_packets() -> None:
    found, finished = RateFollowed(36_000, 0.3, link_bps=120_000), StreamFinished("complete")
    assert ", at 36 kbit/s" in closing_words(found, report(1, 46, 0.0))
    assert ", over a link of 120 kbit/s" in closing_words(found, report(1, 46, 0.0), finished)
    assert ", at 50 kbit/s" in closing_words(RateFollowed(50_000, 0.0), report(1, 46, 0.0), finished)
