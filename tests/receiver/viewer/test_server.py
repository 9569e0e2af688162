"""The page's server over loopback sockets: what it tells, and whom."""

import asyncio
import contextlib
import json
import random
import socket

import aiohttp
import numpy as np
import pytest
from observations import HEADER, STATUS, received

from progressive.errors import UsageError
from progressive.output.refinement import Refinement
from progressive.photos import write_png
from progressive.transport.http_limits import MOST_GUESSES
from receiver.events import StreamStarted
from receiver.reception import PhotoStarted, PictureShown
from receiver.viewer import server
from receiver.viewer.address import ViewAddress, parse_view_address
from receiver.viewer.gallery import Exhibit, Gallery
from receiver.viewer.viewer import Viewer


@contextlib.contextmanager
def serving(token="", **exhibit):
    gallery = Gallery("a title")
    gallery.add(Exhibit("roof", **exhibit))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0, token)) as viewer:
        yield viewer, f"http://{viewer.address}"


async def messages(answer, count):
    return [json.loads(await answer.content.readline()) for _ in range(count)]


async def test_a_page_is_told_what_is_there_and_what_comes():
    with serving() as (viewer, url):
        viewer.gallery.observe(0, received(3, 0))
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news") as answer:
            hello, receiver, photo = await messages(answer, 3)
            assert (hello["type"], hello["title"]) == ("hello", "a title")
            assert receiver["name"] == "roof"
            assert photo["fates"] == {"start": 0, "from": 0, "marks": "s"}
            viewer.gallery.observe(0, received(3, 2))
            (photo,) = await messages(answer, 1)
            assert photo["fates"] == {"start": 0, "from": 1, "marks": "xs"}


async def test_a_page_that_takes_nothing_holds_nobody_up_and_is_told_the_latest_at_last():
    with serving() as (viewer, url):
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news") as slow:
            for sequence in range(20_000):
                viewer.gallery.observe(0, received(3, sequence, sequence / 100, received=sequence, expected=sequence))
            async with http.get(f"{url}/api/news") as other:
                assert (await messages(other, 3))[-1]["figures"]["received"] == 19_999
            told = 0
            while True:
                line = await slow.content.readline()
                told += len(line)
                if json.loads(line).get("figures", {}).get("received") == 19_999:
                    break
            assert told < 3_000_000  # the 20,000 states one by one would be over 50 MB


async def test_pictures_are_sent_as_they_are_and_huge_ones_smaller(tmp_path):
    small, huge = tmp_path / "small.png", tmp_path / "huge.png"
    write_png(small, np.zeros((4, 5, 3), np.uint8))
    write_png(huge, np.zeros((3000, 2000, 3), np.uint8))
    with serving() as (viewer, url):
        for event in (received(3, 0), StreamStarted(3, HEADER, 0.0), PhotoStarted("photo")):
            viewer.gallery.observe(0, event)
        for path in (small, huge, tmp_path / "gone.png"):
            viewer.gallery.observe(0, PictureShown("photo", path, Refinement(1.0, 1, 0), STATUS, 0.1))
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{url}/api/pictures/0/1/0") as answer:
                assert (answer.content_type, await answer.read()) == ("image/png", small.read_bytes())
            async with http.get(f"{url}/api/pictures/0/1/1") as answer:
                assert answer.content_type == "image/jpeg"
            async with http.get(f"{url}/api/pictures/0/1/1?whole") as answer:
                assert await answer.read() == huge.read_bytes()
            for missing in ("0/1/2", "0/1/3", "0/9/0", "4/1/0", "0/1/99999999999999999999"):
                async with http.get(f"{url}/api/pictures/{missing}") as answer:
                    assert answer.status == 404


async def test_the_page_is_whole_and_uses_nothing_from_elsewhere():
    with serving() as (_, url):
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as answer:
                page = await answer.text()
                assert answer.content_type == "text/html"
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            for name in ("page/main.js", "page/feed.js", "view/style.css", "view/stage.js", "view/icon.svg"):
                async with http.get(f"{url}/{name}") as answer:
                    assert answer.status == 200
                    page += await answer.text()
            for outside in ("/page/..%2fviewer.py", "/page/%2e%2e/viewer.py", "/view/nothing.js", "/etc/passwd"):
                async with http.get(f"{url}{outside}") as answer:
                    assert answer.status == 404
    assert "http" not in page.replace("http://www.w3.org/", "").replace("https://www.w3.org/", "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "attacker.example:80"}, 403),
        ({"Host": "attacker.example"}, 403),
        ({"Host": "[::"}, 403),
        ({"Origin": "http://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_other_pages_are_refused(headers, status):
    """Names that were made to point here (DNS rebinding), and requests that another page's browser makes."""
    with serving() as (_, url):
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news", headers=headers) as answer:
            assert answer.status == status


async def test_beyond_this_machine_the_token_is_asked_for():
    with serving(token="secret") as (viewer, url):
        assert viewer.address.url == f"{url}/#token=secret"
        async with aiohttp.ClientSession() as http:
            for header, status in (("", 401), ("Bearer wrong", 401), ("Bearer", 401), ("Bearer secret", 200)):
                async with http.get(f"{url}/api/news", headers={"Authorization": header}) as answer:
                    assert answer.status == status
            async with http.get(url) as answer:
                assert answer.status == 200
            async with http.post(f"{url}/api/receivers/0/leave") as answer:
                assert answer.status == 401


async def test_a_token_that_is_no_text_is_wrong():
    with serving(token="secret") as (viewer, _):
        reader, writer = await asyncio.open_connection(viewer.address.host, viewer.address.port)
        writer.write(b"GET /api/news HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert b" 401 " in await reader.readline()
        writer.close()


async def test_strangers_are_cut_off_and_the_page_goes_on(monkeypatch):
    monkeypatch.setattr(server, "STRANGER_S", 0.1)
    page = {"Authorization": "Bearer secret"}
    file = b"GET /page/main.js HTTP/1.1\r\nHost: here\r\n\r\n"
    with serving(token="secret") as (viewer, url):
        async with aiohttp.ClientSession(headers=page) as http, http.get(f"{url}/api/news") as answer:
            await messages(answer, 2)
            for sent in (b"", file[:20], file):
                reader, writer = await asyncio.open_connection(viewer.address.host, viewer.address.port)
                writer.write(sent)
                await asyncio.wait_for(reader.read(), 5)
                writer.close()
            viewer.gallery.observe(0, received(3, 0))
            assert (await messages(answer, 1))[0]["type"] == "photo"


async def test_connections_beyond_the_limit_are_closed_and_the_page_goes_on(monkeypatch):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    with serving() as (viewer, url):
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news") as answer:
            await messages(answer, 2)
            reader, writer = await asyncio.open_connection(viewer.address.host, viewer.address.port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            viewer.gallery.observe(0, received(3, 0))
            assert (await messages(answer, 1))[0]["type"] == "photo"


async def test_a_page_that_takes_nothing_for_too_long_gives_its_place_to_others(monkeypatch):
    monkeypatch.setattr(server, "STALLED_S", 0.1)
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    with serving(detail="x" * 20_000_000) as (viewer, url):  # more than the system keeps for a page
        reader, writer = await asyncio.open_connection(viewer.address.host, viewer.address.port, limit=1000)
        writer.write(b"GET /api/news HTTP/1.1\r\nHost: %s\r\n\r\n" % str(viewer.address).encode())
        assert b" 200 " in await reader.readline()
        async with asyncio.timeout(10), aiohttp.ClientSession() as http:
            status = None
            while status is None:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with http.get(url) as other:
                        status = other.status
        assert status == 200
        writer.close()


async def test_a_page_may_ask_of_a_receiver_what_it_offers():
    asked = []
    with serving(actions={"leave": lambda: asked.append("leave")}) as (_, url):
        async with aiohttp.ClientSession() as http:
            for path, status in (("0/leave", 204), ("0/explode", 404), ("7/leave", 404)):
                async with http.post(f"{url}/api/receivers/{path}") as answer:
                    assert answer.status == status
            async with http.get(f"{url}/api/receivers/0/leave") as answer:
                assert answer.status == 405
    assert asked == ["leave"]


async def test_at_the_end_a_page_hears_that_it_is_over():
    with serving() as (viewer, url):
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news") as answer:
            await messages(answer, 2)
            closing = asyncio.create_task(asyncio.to_thread(viewer.__exit__, None, None, None))
            assert (await messages(answer, 1))[0]["type"] == "over"
            answer.close()
            await asyncio.wait_for(closing, 10)


async def test_a_page_that_leaves_is_forgotten_and_nobody_minds():
    with serving() as (viewer, url):
        async with aiohttp.ClientSession() as http:
            for _ in range(40):  # more than may be open at a time
                async with http.get(f"{url}/api/news") as answer:
                    assert answer.status == 200
                    await messages(answer, 2)
                viewer.gallery.observe(0, received(3, 0))
                await asyncio.sleep(0.1)


async def test_nonsense_is_refused_and_the_page_goes_on(monkeypatch, capfd):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1000)  # strangers here come faster than they are let go
    rng = random.Random(3)
    request = b"GET /api/news HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
    with serving(token="secret") as (viewer, url):
        for _ in range(200):
            damaged = bytearray(request if rng.random() < 0.7 else rng.randbytes(rng.randrange(400)))
            for _ in range(rng.randrange(6)):
                if damaged:
                    damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            with socket.create_connection((viewer.address.host, viewer.address.port), timeout=5) as stranger:
                stranger.sendall(bytes(damaged[: rng.randrange(len(damaged) + 1)]))
        async with aiohttp.ClientSession() as http:
            too_much = b"x" * 100_000
            async with http.post(f"{url}/api/receivers/0/leave", data=too_much) as answer:
                assert answer.status == 401
            async with http.get(f"{url}/api/news", headers={"Authorization": "Bearer secret"}) as answer:
                assert (await messages(answer, 1))[0]["title"] == "a title"
    assert capfd.readouterr() == ("", "")


def test_an_address_that_stands_for_all_is_printed_as_one_that_others_can_open():
    host = ViewAddress("0.0.0.0", 8080, "secret").url.removeprefix("http://").partition(":")[0]
    assert host != "0.0.0.0"


def test_the_environment_may_hold_the_token(monkeypatch):
    monkeypatch.setenv("PROGRESSIVE_VIEW_TOKEN", "ours-of-sixteen-letters")
    assert parse_view_address("0.0.0.0:80").token == "ours-of-sixteen-letters"
    assert parse_view_address("127.0.0.1:80").token == ""


def test_a_token_that_can_be_guessed_is_refused(monkeypatch):
    monkeypatch.setenv("PROGRESSIVE_VIEW_TOKEN", "ours")
    with pytest.raises(UsageError, match="can be guessed: use 16 characters or more") as refused:
        parse_view_address("0.0.0.0:80")
    assert "ours" not in str(refused.value)


async def test_who_guesses_has_to_wait():
    with serving("the-token-of-this-page") as (_, url):
        async with aiohttp.ClientSession() as http:
            statuses = []
            for guess in range(MOST_GUESSES + 3):
                async with http.get(f"{url}/api/news", headers={"Authorization": f"Bearer {guess}"}) as answer:
                    statuses.append(answer.status)
    assert statuses == [401] * MOST_GUESSES + [429] * 3


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = parse_view_address(str(other.getsockname()[1]))
        with pytest.raises(UsageError, match="is in use"), Viewer(Gallery(""), address):
            pass


@pytest.mark.parametrize(
    "text", ["", "here", "here:", ":80", "127.0.0.1:99999", "http://a:80", "a:80/x", "a@b:80", "a b:1"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="viewer"):
        parse_view_address(text)


@pytest.mark.parametrize(
    ("text", "host", "guarded"),
    [
        ("8080", "127.0.0.1", False),
        ("localhost:8080", "localhost", False),
        ("[::1]:8080", "::1", False),
        ("127.0.0.2:8080", "127.0.0.2", False),
        ("0.0.0.0:8080", "0.0.0.0", True),
        ("[::]:8080", "::", True),
        ("192.168.1.4:8080", "192.168.1.4", True),
        ("box.example:8080", "box.example", True),
    ],
)
def test_only_addresses_of_this_machine_go_without_a_token(text, host, guarded):
    address = parse_view_address(text)
    assert (address.host, address.port, bool(address.token)) == (host, 8080, guarded)
    assert address.token not in repr(address) or not guarded
