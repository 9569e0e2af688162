import stat

import pytest

from progressive.errors import UsageError
from progressive.transport.keys import read_key, write_new_key


def test_a_new_key_is_a_secret_of_its_own(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        write_new_key(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = {read_key(path) for path in paths}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {32}


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key"
    write_new_key(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        write_new_key(path)
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="cannot write"):
        write_new_key(tmp_path / "nowhere" / "key")


@pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "zz" * 32, "é" * 64, "00" * 2000])
def test_a_file_without_a_key_is_refused(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="holds no key|larger than"):
        read_key(path)


def test_a_key_that_everybody_can_read_is_refused(tmp_path):
    path = tmp_path / "key"
    write_new_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        read_key(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_key(tmp_path / "none")
