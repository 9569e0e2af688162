import random
from dataclasses import replace
from pathlib import Path

from observations import HEADER, received, shown

from progressive.wire.about import About
from receiver.events import PacketRecovered, SegmentReceived, StreamEnded, StreamStarted
from receiver.reception import PhotoDescribed, PhotoFinished, PhotoStarted
from receiver.viewer.gallery import Exhibit, Gallery, Reader
from receiver.viewer.journal import MOST_PHOTOS


class Page:
    """What a browser makes of the messages, as `state.js` does."""

    def __init__(self, gallery):
        self._gallery, self._reader = gallery, Reader()
        self.receivers, self.photos = {}, {}
        self.told = 0

    def look(self):
        messages = self._gallery.news(self._reader)
        self.told += len(str(messages))
        for message in messages:
            if message["type"] == "receiver":
                self.receivers[message["receiver"]] = message
                continue
            empty = {"facts": {}, "marks": "", "samples": [], "pictures": []}
            photo = self.photos.setdefault((message["receiver"], message["photo"]), empty)
            photo["marks"] = photo["marks"][: message["fates"]["from"]] + message["fates"]["marks"]
            for name in ("samples", "pictures"):
                news = message[name]
                photo[name] = news["items"] if news["all"] else photo[name] + news["items"]
            photo["facts"] = message.get("facts", photo["facts"])
            photo |= {name: message[name] for name in ("state", "reason", "figures", "blocks")}


def test_a_page_sees_a_photo_from_its_first_packet_to_its_end():
    gallery = Gallery("title")
    gallery.add(Exhibit("roof"))
    page = Page(gallery)
    for event in (
        received(7, 0),
        StreamStarted(7, HEADER, 0.0),
        PhotoStarted("photo 1"),
        SegmentReceived(7, 1, b"", recovered=False),
        shown("photo 1", 0, psnr=20.0),
        received(7, 2, 1.0, received=2, expected=3),
        PacketRecovered(7, 0, 1),
        StreamEnded(7, "complete", more=False),
        shown("photo 1", 1, psnr=float("inf")),
        PhotoFinished("photo 1", 2, 1, 1, 260),
    ):
        gallery.observe(0, event)
    page.look()
    photo = page.photos[0, 1]
    assert page.receivers[0]["name"] == "roof"
    assert photo["facts"] == {
        "name": "photo 1",
        "width": 64,
        "height": 48,
        "segments": 9,
        "codec": "codec 200",
        "importance": None,
        "looks": ["faithful"],
    }
    assert (photo["state"], photo["reason"], photo["marks"]) == ("done", "complete", "sxs")
    assert photo["blocks"] == [[0, 4, "srs.", 0, False]]
    assert photo["figures"] | {"time_s": 1.0} == photo["figures"]
    assert [photo["figures"][name] for name in ("received", "lost", "recovered", "bytes")] == [2, 1, 1, 260]
    assert [(p["number"], p["psnr"], p["exact"]) for p in photo["pictures"]] == [(0, 20.0, False), (1, None, True)]
    assert photo["pictures"][0]["gaps"] == "25% of the picture coarse"
    assert gallery.picture(0, 1, 1) == Path("1.png")
    assert gallery.picture(0, 1, 2) is None
    assert gallery.picture(5, 1, 0) is None


def test_the_word_that_nothing_more_follows_is_no_photo():
    gallery = Gallery("title")
    gallery.add(Exhibit("roof"))
    page = Page(gallery)
    for event in (
        received(7, 0),
        StreamStarted(7, HEADER, 0.0),
        PhotoStarted("photo 1"),
        shown("photo 1", 0),
        replace(received(7, 1), kind="control", blocks=()),
        StreamEnded(7, "complete", more=True),
        PhotoFinished("photo 1", 2, 0, 0, 200),
        *(replace(received(8, sequence), kind="control", blocks=()) for sequence in range(6)),
        StreamEnded(8, "ended", more=False),
    ):
        gallery.observe(0, event)
    page.look()
    assert list(page.photos) == [(0, 1)]
    assert (page.photos[0, 1]["state"], page.photos[0, 1]["reason"]) == ("done", "complete")
    assert len(page.photos[0, 1]["pictures"]) == 1


def test_the_end_of_another_stream_does_not_end_the_photo_that_comes():
    gallery = Gallery("title")
    gallery.add(Exhibit("roof"))
    page = Page(gallery)
    for event in (received(7, 0), StreamStarted(7, HEADER, 0.0), StreamEnded(6, "ended", more=True)):
        gallery.observe(0, event)
    page.look()
    assert page.photos[0, 1]["state"] == "receiving"


def test_pages_that_look_often_seldom_and_once_know_the_same():
    rng = random.Random(5)
    gallery = Gallery("title")
    gallery.add(Exhibit("one"))
    gallery.add(Exhibit("two"))
    eager, lazy = Page(gallery), Page(gallery)
    counts = {}
    for step in range(3000):
        receiver = rng.randrange(2)
        sequence = counts[receiver] = counts.get(receiver, 0) + rng.choice((1, 1, 1, 2))
        gallery.observe(receiver, received(9, sequence, step / 100, received=step, expected=step + 10))
        if step % 50 == 0:
            gallery.observe(receiver, StreamStarted(9, HEADER, 0.0))
            gallery.observe(receiver, PhotoStarted("photo"))
        gallery.observe(receiver, shown("photo", step))
        eager.look()
        if rng.random() < 0.01:
            lazy.look()
    lazy.look()
    once = Page(gallery)
    once.look()
    assert eager.photos == lazy.photos == once.photos
    assert once.told < lazy.told < eager.told


def test_only_the_latest_photos_are_kept():
    gallery = Gallery("title")
    gallery.add(Exhibit("one"))
    always_open = Page(gallery)
    for stream in range(100):
        for event in (received(stream, 0), StreamStarted(stream, HEADER, 0.0), PhotoStarted(f"photo {stream}")):
            gallery.observe(0, event)
        gallery.observe(0, shown(f"photo {stream}", 0))
        gallery.observe(0, StreamEnded(stream, "ended", more=True))
        always_open.look()
    assert len(always_open._reader._photos) == MOST_PHOTOS
    page = Page(gallery)
    page.look()
    assert len(page.photos) == MOST_PHOTOS
    assert gallery.picture(0, 1, 0) is None
    assert gallery.picture(0, 100, 0) == Path("0.png")


def test_streams_of_one_number_in_sessions_one_after_the_other_are_two_photos():
    gallery = Gallery("title")
    gallery.add(Exhibit("one"))
    for name in ("a", "b"):
        for event in (
            received(0, 0),
            StreamStarted(0, HEADER, 0.0),
            PhotoStarted(name),
            PhotoFinished(name, 1, 0, 0, 9),
        ):
            gallery.observe(0, event)
    page = Page(gallery)
    page.look()
    assert [photo["facts"]["name"] for photo in page.photos.values()] == ["a", "b"]


def test_a_page_hears_what_the_sender_says_of_a_photo_although_it_comes_later():
    gallery = Gallery("title")
    gallery.add(Exhibit("roof"))
    page = Page(gallery)
    for event in (received(7, 0), StreamStarted(7, HEADER, 0.0), PhotoStarted("photo 1")):
        gallery.observe(0, event)
    page.look()
    gallery.observe(0, PhotoDescribed("photo 1", About(name="cliff.jpg", altitude_m=612.0)))
    page.look()
    facts = page.photos[0, 1]["facts"]
    assert facts["name"] == "photo 1: cliff.jpg, 612 m above the sea"
    assert facts["about"] == {"name": "cliff.jpg", "altitude_m": 612.0}


def test_the_pictures_of_a_photo_are_found_where_its_folder_is_in_the_end():
    gallery = Gallery("title")
    gallery.add(Exhibit("roof"))
    for event in (
        received(7, 0),
        StreamStarted(7, HEADER, 0.0),
        PhotoStarted("photo 1"),
        shown("photo 1", 0),
        PhotoFinished("photo 1", 2, 0, 0, 260, folder=Path("out/20300131T180000Z_cliff")),
    ):
        gallery.observe(0, event)
    assert gallery.picture(0, 1, 0) == Path("out/20300131T180000Z_cliff/0.png")
