import hashlib
import io
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest
from conftest import CommandLine

from progressive.__main__ import main
from progressive.errors import RunError, UsageError
from progressive.semantics import downloads
from progressive.semantics.downloads import PUBLISHED, download

CONTENT = b"weights"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "progressive"


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    """Content for every address; the addresses asked for."""
    asked: list[str] = []

    def urlopen(url: str, **_: object) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    digest = hashlib.sha256(CONTENT).hexdigest()
    published = {name: replace(each, sha256=digest[:8]) for name, each in PUBLISHED.items()}
    monkeypatch.setattr(downloads, "PUBLISHED", published)
    return asked


def test_what_is_published_comes_once_and_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    path = download("classifier")
    assert path.read_bytes() == CONTENT
    assert path.parent == cache
    assert download("classifier") == path
    assert asked == [PUBLISHED["classifier"].url]


def test_something_else_is_refused_and_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT + b"!")
    with pytest.raises(RunError, match="not the published file"):
        download("lpips")
    assert not cache.exists()


def test_without_a_network_the_file_can_be_put_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*_: object, **__: object) -> io.BytesIO:
        raise URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(RunError, match=f"cannot download https://.*put it at {cache}"):
        download("lpips")
    with pytest.raises(UsageError, match=r"'clasifier' is nothing to download: did you mean classifier\?"):
        download("clasifier")


def test_the_command_fetches_all_or_what_is_named(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    assert call(main, "download", "lpips").status == 0
    assert asked == [PUBLISHED["lpips"].url]
    outcome = call(main, "download")
    assert outcome.out.count("\n") == 2
    assert asked == [PUBLISHED["lpips"].url, PUBLISHED["classifier"].url]
