"""The fuzz tests with many cases: packets, sessions, files, what comes over HTTP and over channels.

python -m benchmarks.fuzz [--cases 100000] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = sorted(ROOT.glob("tests/**/test_*fuzz.py"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=100_000, help="in all, shared among the tests")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    count = sum(file.read_text().count("\n@fuzz\n") for file in TESTS)
    environment = os.environ | {"PROGRESSIVE_FUZZ_CASES": str(-(-args.cases // count))}
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", f"--hypothesis-seed={args.seed}", *map(str, TESTS)]
    start = time.perf_counter()
    status = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)
    print(f"{args.cases} cases of {count} tests in {time.perf_counter() - start:.0f} s: no crash, no wrong segment")


if __name__ == "__main__":
    main()
