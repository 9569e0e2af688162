"""The committed decoder beside its source."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COMMITTED = ROOT / "progressive" / "browser" / "codec" / "decoder.wasm"
CLANG = shutil.which("clang-14")


@pytest.mark.skipif(CLANG is None, reason="there is no clang 14 here to compare with: apt-get install clang-14 lld-14")
def test_the_committed_decoder_is_what_its_source_compiles_to(tmp_path):
    built = tmp_path / "decoder.wasm"
    subprocess.run(["make", "--silent", "wasm", f"WASM={built}"], cwd=ROOT, check=True)
    assert built.read_bytes() == COMMITTED.read_bytes(), "run make wasm, and commit what it makes"
